// The program's own file on huge pages. See the package comment in hugeheap.go.
#define _GNU_SOURCE
#include "pages_linux.h"
#include <link.h>
#include <sys/mman.h>

// What contrib/build/pages.ld fills up with. Without that script these bytes lie somewhere and are nothing.
__asm__(".section .hull.text,\"ax\",@progbits\n.byte 0\n"
	".section .hull.rodata,\"a\",@progbits\n.byte 0\n"
	".previous");

// give_advice gives madvise(2) a word on each large part of the program's file that nobody writes to. A no costs nothing.
static int give_advice(struct dl_phdr_info *program, size_t size, void *advice)
{
	(void)size;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &program->dlpi_phdr[i];
		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && p->p_filesz >= 2 << 20)
			madvise((void *)(program->dlpi_addr + p->p_vaddr), p->p_filesz, *(int *)advice);
	}
	return 1; // the first is the program, the rest are its libraries
}

static void advise(int advice) { dl_iterate_phdr(give_advice, &advice); }

// Before anything else is touched: a file that is not in memory is read by huge pages then, where its file system has them.
__attribute__((constructor(101))) static void huge_file(void) { advise(MADV_HUGEPAGE); }

void hull_small_file(void)
{
	advise(MADV_NOHUGEPAGE);
	advise(MADV_DONTNEED);
}
