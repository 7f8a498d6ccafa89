// See the package comment in sqlheap.go.
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	CONFIG_MALLOC = 4,	 // sqlite3.h, SQLITE_CONFIG_MALLOC
	CONFIG_MEMSTATUS = 9, // sqlite3.h, SQLITE_CONFIG_MEMSTATUS
	HUGE_PAGE = 2 << 20,
	FIRST = 256 << 10,	 // the first piece, which the package hugeheap, where it is linked, takes out of a page that is there
	ROOM = 64 << 20,	 // address space for all others
	LARGE = 128 << 10, // what has more comes from libc, as does what finds the room full
	LEAST = 32,
	SIZES = 64, // four for each doubling from LEAST on
};

// methods is sqlite3_mem_methods of sqlite3.h.
struct methods {
	void *(*malloc)(int);
	void (*free)(void *);
	void *(*realloc)(void *, int);
	int (*size)(void *);
	int (*roundup)(int);
	int (*init)(void *);
	void (*shutdown)(void *);
	void *data;
};

// block is what lies before what SQLite has; the pointer to the next is only in a free one, and in SQLite's part.
struct block {
	uint32_t size; // what SQLite may use
	uint32_t list; // the free list that it goes to, SIZES for what came from libc
	struct block *next;
};

enum { HEADER = offsetof(struct block, next) };

static struct {
	pthread_mutex_t lock;
	char *next, *end; // of the piece that is in use
	int pieces;
	struct block *free[SIZES];
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

// list_of is the list of the blocks that have room for n bytes, and sets n to that room.
static uint32_t list_of(size_t *n)
{
	if (*n <= LEAST) {
		*n = LEAST;
		return 0;
	}
	uint32_t doubling = 63 - __builtin_clzl(*n - 1); // the power of two at or below n-1
	size_t step = ((size_t)1 << doubling) / 4;
	*n = (*n + step - 1) & ~(step - 1);
	return (doubling - 5) * 4 + (uint32_t)((*n - 1 - ((size_t)1 << doubling)) / step) + 1;
}

// more takes the next piece of memory; what is left of the last is not used.
static int more(void)
{
	char *got;
	switch (heap.pieces) {
	case 0:
		heap.pieces = 1;
		got = mmap(NULL, FIRST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (got != MAP_FAILED) {
			heap.next = got;
			heap.end = got + FIRST;
			return 1;
		}
		// fallthrough
	case 1:
		heap.pieces = 2;
		got = mmap(NULL, ROOM + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (got != MAP_FAILED) {
			heap.next = (char *)(((uintptr_t)got + HUGE_PAGE - 1) & -(uintptr_t)HUGE_PAGE);
			heap.end = heap.next + ROOM;
			madvise(heap.next, ROOM, MADV_HUGEPAGE);
			return 1;
		}
	}
	return 0;
}

static void *take(int bytes)
{
	size_t size = bytes > 0 ? (size_t)bytes : 1;
	struct block *b = NULL;
	uint32_t list = SIZES;
	if (size <= LARGE) {
		list = list_of(&size);
		pthread_mutex_lock(&heap.lock);
		if ((b = heap.free[list]))
			heap.free[list] = b->next;
		else if ((size_t)(heap.end - heap.next) >= HEADER + size || more()) { // each piece has room for the largest
			b = (struct block *)heap.next;
			heap.next += HEADER + size;
		}
		pthread_mutex_unlock(&heap.lock);
	}
	if (!b) {
		list = SIZES;
		size = (size + 7) & ~(size_t)7;
		b = malloc(HEADER + size);
	}
	if (!b)
		return NULL;
	b->size = (uint32_t)size;
	b->list = list;
	return (char *)b + HEADER;
}

static struct block *block_of(void *p) { return (struct block *)((char *)p - HEADER); }

static void give_back(void *p)
{
	struct block *b = block_of(p);
	if (b->list == SIZES) {
		free(b);
		return;
	}
	pthread_mutex_lock(&heap.lock);
	b->next = heap.free[b->list];
	heap.free[b->list] = b;
	pthread_mutex_unlock(&heap.lock);
}

static int size_of(void *p) { return p ? (int)block_of(p)->size : 0; }

static void *resize(void *p, int bytes)
{
	if (bytes <= size_of(p))
		return p;
	void *q = take(bytes);
	if (q) {
		memcpy(q, p, (size_t)size_of(p));
		give_back(p);
	}
	return q;
}

static int round_up(int bytes)
{
	size_t size = bytes > 0 ? (size_t)bytes : 1;
	if (size > LARGE)
		return (bytes + 7) & ~7;
	list_of(&size);
	return (int)size;
}

static int start(void *unused) { return 0; }
static void stop(void *unused) {}

// The program's own, when it has SQLite.
extern int sqlite3_config(int, ...) __attribute__((weak));

__attribute__((constructor)) static void give_heap(void)
{
	static const struct methods ours = {take, give_back, resize, size_of, round_up, start, stop, NULL};
	if (!sqlite3_config)
		return;
	sqlite3_config(CONFIG_MALLOC, &ours);
	sqlite3_config(CONFIG_MEMSTATUS, 0); // who counts bytes takes a lock for each
}
