package rootless

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/pidfd"
)

// StopPause ends the pause process; the namespaces go with the last process in them. The next command makes new ones.
func StopPause() error {
	file, err := os.OpenFile(filepath.Join(RuntimeDir(), "hull", "pause.lock"), os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	pid, err := holder(file)
	if pid == 0 || err != nil {
		return err
	}
	return pidfd.Signal(pid, unix.SIGTERM, func() (bool, error) { // it holds the lock: it is the pause process
		again, err := holder(file)
		return again == pid, err
	})
}

// holder is the pid of the process that holds the record lock, or 0.
func holder(file *os.File) (int, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, os.NewSyscallError("fcntl F_GETLK", err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lock.Pid), nil
}
