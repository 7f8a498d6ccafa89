package transfer

import "golang.org/x/sys/unix"

const (
	auditArch = 0xc000003e // AUDIT_ARCH_X86_64 (linux/audit.h)
	foreign   = 0x40000000 // __X32_SYSCALL_BIT: the calls of x32 begin here
)

var deniedHere = []uint32{
	unix.SYS_CREATE_MODULE, unix.SYS_GET_KERNEL_SYMS, unix.SYS_IOPERM, unix.SYS_IOPL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_MODIFY_LDT,
	unix.SYS_NFSSERVCTL, unix.SYS_QUERY_MODULE, unix.SYS_SYSFS, unix.SYS__SYSCTL, unix.SYS_USELIB, unix.SYS_USTAT,
}
