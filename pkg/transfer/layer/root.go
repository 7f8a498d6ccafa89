package layer

import (
	"fmt"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// inRoot calls f in a thread of its own, for which dir is the root of all paths: no link of a layer leads out of it. The
// other threads of the process keep their root.
func inRoot(dir string, f func() error) error {
	return thread.Do(func() error {
		if err := enter(dir); err != nil {
			return err
		}
		return f()
	})
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
