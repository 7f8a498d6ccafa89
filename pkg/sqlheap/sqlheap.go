// Package sqlheap gives SQLite its memory out of pages that lie side by side and are huge, by an allocator of its own
// (sqlite.org/malloc.html, SQLITE_CONFIG_MALLOC). From libc each statement of a command that lives for milliseconds would fault
// pages in one by one, and musl's malloc maps and unmaps them besides; SQLite's own for one piece of memory, memsys5, touches the
// piece at each power of two, which is a huge page for each.
//
// A program that uses SQLite imports it for its effect, which comes before main.
package sqlheap

import "C"
