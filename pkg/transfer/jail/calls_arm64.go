package jail

import "golang.org/x/sys/unix"

const (
	arch    = unix.AUDIT_ARCH_AARCH64
	foreign = 0xffffffff
)

var refusedHere = []int{unix.SYS_RENAMEAT}

// opens are the calls that open a file, each with the place of its flags among the arguments.
var opens = map[int]uint32{unix.SYS_OPENAT: 2}
