// Package pidfd signals processes, and waits for their end, by file descriptors of them (pidfd_open(2)): a pid that another
// process has meanwhile is not taken for the one that was meant.
package pidfd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Signal sends a signal to the process with the pid, if same still says that it is the one, asked when the descriptor is open. A
// process that has ended is fine.
func Signal(pid int, sig unix.Signal, same func() (bool, error)) error {
	return with(pid, same, func(fd int) error { return send(fd, sig) })
}

// Kill ends the process with the pid, if same says so as for Signal, and waits until it has ended, at most for the time of patience.
func Kill(pid int, patience time.Duration, same func() (bool, error)) error {
	return with(pid, same, func(fd int) error {
		if err := send(fd, unix.SIGKILL); err != nil {
			return err
		}
		ended, err := wait(fd, patience)
		if err == nil && !ended {
			err = fmt.Errorf("process %d does not end when it is killed", pid)
		}
		return err
	})
}

// Await returns when the process with the pid has ended, or with an error when ctx has. No thread waits meanwhile.
func Await(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
}

// Lives reports whether pid is the process with the number, that of the inode of its descriptor, and has not ended, also not as a zombie.
// It takes a third of the time of reading /proc/PID/stat. Without a number, as before Linux 6.9, it is not known.
func Lives(pid int, number uint64) (lives, known bool) {
	if number == 0 || pid <= 0 {
		return false, false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false, errors.Is(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false, false
	}
	if st.Ino != number {
		return false, true
	}
	ended, err := wait(fd, 0)
	return !ended, err == nil
}

func with(pid int, same func() (bool, error), act func(fd int) error) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(fd)
	if ok, err := same(); err != nil || !ok {
		return err
	}
	return act(fd)
}

func send(fd int, sig unix.Signal) error {
	err := unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// wait reports whether the process has ended within the time.
func wait(fd int, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n > 0, os.NewSyscallError("poll", err)
		}
	}
}
