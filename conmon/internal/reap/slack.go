package reap

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// slack is the timer slack (prctl(2)) that the monitor's children get, in nanoseconds. hull starts the monitor with a longer one
// (pkg/rootless), so that the Go runtime's monitor thread wakes up less often, and a thread hands its own on to threads and
// processes that it starts. The first thread, in which packages are initialised, knows what there was before.
var slack = before()

func before() int {
	if unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) != nil { // 0: as before
		return 0
	}
	was, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	return was
}

func forkExec(path string, argv []string, attributes *syscall.ProcAttr) (pid int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if slack > 0 {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
	}
	return syscall.ForkExec(path, argv, attributes)
}
