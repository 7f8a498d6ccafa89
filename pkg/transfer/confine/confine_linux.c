// Runs before the Go runtime, in the only thread there is; see confine.go for what it is for.
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN 0x40000000 // __X32_SYSCALL_BIT: the calls of x32 begin here
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define FOREIGN 0xffffffff
#endif

#ifdef ARCH
// The calls of another architecture, which have other numbers, fail with EPERM too.
static struct sock_filter program[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	REFUSE(acct), REFUSE(add_key), REFUSE(adjtimex), REFUSE(bpf), REFUSE(clock_adjtime), REFUSE(clock_settime),
	REFUSE(delete_module), REFUSE(fanotify_init), REFUSE(finit_module), REFUSE(init_module),
	REFUSE(io_uring_enter), REFUSE(io_uring_register), REFUSE(io_uring_setup), REFUSE(kcmp), REFUSE(kexec_file_load),
	REFUSE(kexec_load), REFUSE(keyctl), REFUSE(migrate_pages), REFUSE(move_pages), REFUSE(open_by_handle_at),
	REFUSE(perf_event_open), REFUSE(personality), REFUSE(pidfd_getfd), REFUSE(process_vm_readv), REFUSE(process_vm_writev),
	REFUSE(ptrace), REFUSE(reboot), REFUSE(request_key), REFUSE(setdomainname), REFUSE(sethostname), REFUSE(settimeofday),
	REFUSE(swapoff), REFUSE(swapon), REFUSE(syslog), REFUSE(userfaultfd), REFUSE(vhangup),
#ifdef __x86_64__
	REFUSE(create_module), REFUSE(get_kernel_syms), REFUSE(ioperm), REFUSE(iopl), REFUSE(lookup_dcookie), REFUSE(modify_ldt),
	REFUSE(nfsservctl), REFUSE(query_module), REFUSE(sysfs), REFUSE(_sysctl), REFUSE(uselib), REFUSE(ustat),
#endif
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
#endif

#define CAP(name) (UINT64_C(1) << CAP_##name)

// What unpacking an image needs inside the user namespace (capabilities(7)): owners, modes and attributes of files, device
// nodes, the chroot that a layer is unpacked in, and the mounts of the overlay driver.
static const uint64_t needed = CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(DAC_READ_SEARCH) | CAP(FOWNER) | CAP(FSETID) | CAP(SETUID) |
			       CAP(SETGID) | CAP(SETFCAP) | CAP(SYS_CHROOT) | CAP(SYS_ADMIN) | CAP(MKNOD);

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	// EINVAL: the kernel's last capability was the one before. EPERM: a user without privileges, who has none to drop.
	for (int cap = 0; cap < 64; cap++)
		if (!(needed >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break;
	if (syscall(SYS_capget, &head, sets) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = (uint32_t)(needed >> (32 * i));
		sets[i].permitted &= kept;
		sets[i].effective &= kept;
		sets[i].inheritable &= kept;
	}
	return (int)syscall(SYS_capset, &head, sets);
}

// filter refuses them. A kernel without filters refuses nothing.
static int filter(void)
{
#ifdef ARCH
	struct sock_fprog p = {.len = sizeof(program) / sizeof(program[0]), .filter = program};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p, 0, 0) < 0 && errno != EINVAL)
		return -1;
#endif
	return 0;
}

__attribute__((constructor)) static void confine(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || drop_capabilities() < 0 || filter() < 0) {
		dprintf(2, "Error: hull-image cannot give up what it does not need: %s\n", strerror(errno));
		_exit(1);
	}
}
