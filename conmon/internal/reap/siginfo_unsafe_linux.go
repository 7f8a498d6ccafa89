package reap

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigchldPID reads si_pid, the first word of the union in siginfo_t (sigaction(2)), which unix.Siginfo does not name.
// 0: no child was ready.
func sigchldPID(info *unix.Siginfo) int {
	const union = 16 // three ints, aligned to a pointer; on 32 bits 12
	offset := uintptr(union)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		offset = 12
	}
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}
