// See the package comment in hugeheap.go.
#define _GNU_SOURCE
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	HULL_HEAP_STEP = 4 << 20, // what the Go heap grows by, at the least (runtime/mpallocchunk: pallocChunkBytes)
};

// mmap in libc's place: the same, but a piece of the Go heap is told to lie on huge pages. Go's runtime reserves address
// space without access first and makes it usable at a fixed address later; nothing else in the program does that with so
// much.
void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *got = (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
	if (got != MAP_FAILED && size >= HULL_HEAP_STEP && (flags & MAP_FIXED) && (prot & PROT_WRITE))
		madvise(got, size, MADV_HUGEPAGE); // a kernel without them says no, and small pages it is
	return got;
}

__attribute__((constructor)) static void one_arena(void) { mallopt(M_ARENA_MAX, 1); }
