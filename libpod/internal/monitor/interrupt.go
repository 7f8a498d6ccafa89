package monitor

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

var errInterrupted = errors.New("interrupted")

// interruptible returns a reader of in whose Read ends when ctx does, and whether it is one. release is called when nobody
// reads any more.
func interruptible(ctx context.Context, in io.Reader) (r io.Reader, waits bool, release func()) {
	if f, ok := in.(*os.File); ok {
		p, err := newPollReader(f)
		if err != nil {
			return in, false, func() {}
		}
		stop := context.AfterFunc(ctx, p.interrupt)
		return p, true, func() { stop(); _ = p.wake.Close() }
	}
	d, ok := in.(interface{ SetReadDeadline(time.Time) error })
	if !ok {
		return in, false, func() {}
	}
	stop := context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Unix(1, 0)) })
	return in, true, func() { stop(); _ = d.SetReadDeadline(time.Time{}) }
}

// pollReader reads a file that may be a terminal, a pipe, or anything else that blocks, without making it non-blocking:
// others share it.
type pollReader struct {
	file   *os.File
	wake   *os.File // eventfd: readable when it is time to go
	wakeFD int32
}

func newPollReader(f *os.File) (*pollReader, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &pollReader{f, os.NewFile(uintptr(fd), "eventfd"), int32(fd)}, nil
}

// interrupt ends the Read under way and all later ones. Late, after wake is closed, it does nothing.
func (r *pollReader) interrupt() { _, _ = r.wake.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (r *pollReader) Read(p []byte) (n int, err error) {
	raw, err := r.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlErr := raw.Control(func(fd uintptr) { n, err = r.read(int(fd), p) }); controlErr != nil {
		return 0, controlErr
	}
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}

func (r *pollReader) read(fd int, p []byte) (int, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: r.wakeFD, Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case fds[1].Revents != 0:
			return 0, errInterrupted
		}
		n, err := unix.Read(fd, p)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return n, err
		}
	}
}
