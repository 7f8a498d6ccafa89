// Package mountin mounts by paths that begin in a folder. The kernel writes the options of all mounts out for each who reads
// /proc/self/mounts or mountinfo, as they were given: crun does when it starts, and every program in Go.
package mountin

/*
#include <stdlib.h>
#include "mountin.h"
*/
import "C"

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// ErrNoWayBack is the error when the process is in a folder that it could not enter again, or may not have one for a thread: nothing is
// mounted.
var ErrNoWayBack = errors.New("the working folder cannot be entered again")

// Mount is mount(2) with paths, those in options too, from dir on. dir is absolute.
func Mount(dir, source, target, fstype, options string) error {
	var args [5]*C.char
	for i, s := range []string{dir, source, target, fstype, options} {
		args[i] = C.CString(s)
		defer C.free(unsafe.Pointer(args[i]))
	}
	switch code := C.hull_mount_in(args[0], args[1], args[2], args[3], args[4]); code {
	case 0:
		return nil
	case C.HULL_NO_WAY_BACK:
		return ErrNoWayBack
	default:
		return os.NewSyscallError("mount", syscall.Errno(code))
	}
}
