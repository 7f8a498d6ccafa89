// Package sqlheap gives SQLite its memory in one piece on huge pages, from SQLite's own allocator for such a piece
// (sqlite.org/malloc.html, memsys5), where it is compiled in (SQLITE_ENABLE_MEMSYS5, Makefile). From libc each statement of a
// command that lives for milliseconds would fault pages in one by one, and musl's malloc maps and unmaps them besides.
//
// A program that uses SQLite imports it for its effect, which comes before main.
package sqlheap

import "C"
