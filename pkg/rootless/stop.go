package rootless

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(fd)
	// Asked again once the pidfd is open: if that process holds the lock now, the pidfd is of the pause process.
	if again, err := holder(file); again != pid || err != nil {
		return err
	}
	err = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return os.NewSyscallError("pidfd_send_signal", err)
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
