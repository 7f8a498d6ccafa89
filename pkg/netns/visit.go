package netns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Visit calls fn with its thread in the network namespace at path, and returns fn's error. Sockets that fn makes stay there. The
// thread has to be in a namespace that the process may enter, to return to it: one of a Thread, as a rule.
func Visit(path string, fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open own network namespace", err)
	}
	defer unix.Close(home)
	if err := Join(path); err != nil {
		return err
	}
	defer func() {
		if err := unix.Setns(home, unix.CLONE_NEWNET); err != nil {
			panic(fmt.Errorf("return from network namespace %q: %w", path, err)) // what the thread does next would be done there
		}
	}()
	return fn()
}
