package hugeheap

// #include "pages_linux.h"
import "C"

// SmallFile unmaps the pages of the program's own file, and has those that are touched again come as small ones. It is for a program that
// waits: a huge page counts for its process as a whole, however little of it is needed.
func SmallFile() { C.hull_small_file() }
