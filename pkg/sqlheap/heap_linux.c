// See the package comment in sqlheap.go.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

enum {
	CONFIG_HEAP = 8, // sqlite3.h, SQLITE_CONFIG_HEAP
	ATOM = 64,	 // the smallest allocation
	ATOMS = 1 << 18, // 16 MB, of which the page caches may take 4; memsys5 wants one byte more for each, and a power of two is one free block
	HUGE_PAGE = 2 << 20,
};

// The program's own, when it has SQLite.
extern int sqlite3_config(int, ...) __attribute__((weak));

__attribute__((constructor)) static void give_heap(void)
{
	const size_t size = (size_t)ATOMS * (ATOM + 1);
	if (!sqlite3_config)
		return;
	char *room = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return;
	room = (char *)(((uintptr_t)room + HUGE_PAGE - 1) & -(uintptr_t)HUGE_PAGE);
	madvise(room, (size_t)ATOMS * ATOM, MADV_HUGEPAGE); // not the bytes behind, which are touched here and there
	sqlite3_config(CONFIG_HEAP, room, (int)size, ATOM); // without memsys5 it says no, and libc's it is
}
