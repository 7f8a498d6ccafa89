// See the package comment in hugeheap.go.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	HULL_HUGE_PAGE = 2 << 20,
	HULL_HEAP_STEP = 4 << 20,	 // what the Go heap grows by, at the least (runtime/mpallocchunk: pallocChunkBytes)
	HULL_TABLE_MOST = 256 << 10, // what the Go runtime takes for its own tables at a time (runtime/malloc.go: persistentChunkSize)
};

// table gives out pieces of one huge page, or NULL when there is none left. The first comes before there are threads, and Go gives
// none of them back.
static void *table(size_t size)
{
	static char *next, *end;
	if (!end) {
		void *room = (void *)syscall(SYS_mmap, NULL, 2 * HULL_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (room == MAP_FAILED)
			return NULL;
		next = (char *)(((uintptr_t)room + HULL_HUGE_PAGE - 1) & -(uintptr_t)HULL_HUGE_PAGE);
		end = next + HULL_HUGE_PAGE;
		madvise(next, HULL_HUGE_PAGE, MADV_HUGEPAGE);
	}
	size = (size + 4095) & ~(size_t)4095;
	char *at = __atomic_fetch_add(&next, size, __ATOMIC_RELAXED);
	return at + size <= end ? at : NULL;
}

// mmap in libc's place: the same, but the Go heap is told to lie on huge pages, and small pieces without a name or a place, which
// only the runtime's tables are, come out of one. Go's runtime reserves address space for the heap without access first and makes
// it usable at a fixed address later; nothing else in the program does that with so much.
void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *got = NULL;
	if (!at && size <= HULL_TABLE_MOST && prot == (PROT_READ | PROT_WRITE) && flags == (MAP_PRIVATE | MAP_ANONYMOUS))
		got = table(size);
	if (got)
		return got;
	got = (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
	if (got != MAP_FAILED && size >= HULL_HEAP_STEP && (flags & MAP_FIXED) && (prot & PROT_WRITE))
		madvise(got, size, MADV_HUGEPAGE); // a kernel without them says no, and small pages it is
	return got;
}

#ifdef __GLIBC__ // musl has one heap
__attribute__((constructor)) static void one_arena(void) { mallopt(M_ARENA_MAX, 1); }
#endif
