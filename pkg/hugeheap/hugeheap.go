// Package hugeheap puts the Go heap of the program that imports it, and the Go runtime's tables, on huge pages, and keeps
// libc to one arena.
//
// A command of hull lives for some milliseconds and touches its heap for the first time all the way: 260 page faults of
// 540 in `hull version`, each with a zeroed page. A huge page (2 MB) is one fault. The kernel gives them to who asks where
// /sys/kernel/mm/transparent_hugepage/enabled says madvise or always (Debian, Fedora, Ubuntu); elsewhere nothing changes.
// Go has no setting for it; a program with cgo maps its heap through libc's mmap (runtime/cgo/mmap.go), and that is the
// door: mmap is a weak symbol in glibc and in musl, and this package has one of its own.
//
// Each thread of Go frees a few bytes as it starts, for which libc would map and trim an arena of 128 MB of address space
// per thread; all of them use the first one here.
//
// The program's own file lies on huge pages too where its file system keeps such and it was written at once
// (contrib/build/whole.sh), which is half of what page faults are left. SmallFile is for who waits then.
//
// docs/design/0011 has the measurements. For programs that end soon or work hard; the monitor, which stays and must be
// small, does not import it.
package hugeheap

import "C"
