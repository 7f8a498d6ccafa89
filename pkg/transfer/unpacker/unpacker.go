// Package unpacker makes hull-untar of the program that imports it, hull-image, when that is a child which the storage
// library has started to unpack or pack a layer, in a chroot: the library starts /proc/self/exe, and of the 35 ms that
// hull-image takes to be there, for each layer, hull-untar, which lies beside it, takes 13 (docs/design/0011). Without
// hull-untar it does the work itself.
package unpacker

import "C"
