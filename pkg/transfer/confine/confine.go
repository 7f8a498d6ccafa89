// Package confine takes from the program that imports it, hull-image, what moving images needs in none of its ways, before
// Go and its threads begin (confine_linux.c): it and the programs that it starts (gzip, gpg, credential helpers) cannot gain
// privileges, keep the capabilities that unpacking needs, and are refused the system calls that reach into other processes,
// keys, the kernel, its clock, and files past every path. Mounts and namespaces stay: the store tries out overlay when it is
// opened. Once it is, Landlock may take the mounts, and files (pkg/transfer/registry/confine.go).
//
// The program does it and not who starts it: hull's own constructor executes hull-image before there is Go (pkg/rootless).
package confine

import "C"
