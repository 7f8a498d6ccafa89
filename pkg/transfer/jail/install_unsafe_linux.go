package jail

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// install makes the program, which is not empty, a filter of the calling thread (seccomp(2)).
func install(program []unix.SockFilter) error {
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0)
}
