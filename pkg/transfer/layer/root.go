package layer

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// inRoot calls f in a thread of its own, for which dir is the root of all paths: no link of a layer leads out of it. The
// other threads of the process keep their root.
func inRoot(dir string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, but for the first one
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- inRoot(dir, f)
			return
		}
		err := enter(dir)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// enter makes dir the root of the calling thread.
func enter(dir string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("have a root folder of the thread's own: %w", err)
	}
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot to %q: %w", dir, err)
	}
	return unix.Chdir("/")
}
