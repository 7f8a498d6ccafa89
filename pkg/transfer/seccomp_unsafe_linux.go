package transfer

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterThread denies them to this thread and to what it executes. A kernel without filters denies nothing.
func filterThread() error {
	if auditArch == 0 {
		return nil
	}
	p := program()
	f := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&f)), 0, 0)
	runtime.KeepAlive(p)
	if err == unix.EINVAL {
		return nil
	}
	return os.NewSyscallError("prctl PR_SET_SECCOMP", err)
}
