package jail

import "golang.org/x/sys/unix"

const (
	arch    = unix.AUDIT_ARCH_X86_64
	foreign = 0x40000000 // __X32_SYSCALL_BIT
)

var refusedHere = []int{
	unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_CREAT, unix.SYS_FUTIMESAT, unix.SYS_LCHOWN, unix.SYS_LINK, unix.SYS_MKDIR, unix.SYS_MKNOD,
	unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RMDIR, unix.SYS_SYMLINK, unix.SYS_UNLINK, unix.SYS_UTIME, unix.SYS_UTIMES,
}

// opens are the calls that open a file, each with the place of its flags among the arguments.
var opens = map[int]uint32{unix.SYS_OPEN: 1, unix.SYS_OPENAT: 2}
