package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
)

// Attach connects to the monitor in dir: ErrNotRunning when there is none. Output made after it has returned reaches the
// session.
func Attach(ctx context.Context, dir string, hello protocol.Hello) (*Session, error) {
	f, err := dial(dir)
	if err != nil {
		return nil, err
	}
	s, err := newSession(f, dir, hello)
	if err != nil {
		return nil, err
	}
	if err = s.send(protocol.FrameHello, hello.Append(nil)); err == nil {
		err = s.awaitStart(ctx, "", func() { _ = s.conn.Close() })
	}
	if err != nil {
		_ = s.Close()
		if errors.Is(err, ErrGone) {
			err = ErrNotRunning // it was just ending
		}
		return nil, err
	}
	return s, nil
}

// dial connects to dir/attach.sock through a descriptor of dir, since a socket's path may have 107 bytes at most.
func dial(dir string) (*os.File, error) {
	folder, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(folder)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	path := "/proc/self/fd/" + strconv.Itoa(folder) + "/" + protocol.AttachFile
	for {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return os.NewFile(uintptr(fd), "monitor"), nil
	}
	_ = unix.Close(fd)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	return nil, fmt.Errorf("connect to monitor in %q: %w", dir, err)
}

// Resize sets the size of the terminal of what runs in dir, over a connection of its own.
func Resize(dir string, height, width uint16) error {
	return control(dir, func(s *Session) error { return s.Resize(height, width) })
}

// NoRestart makes the next exit of what runs in dir the last, and ends a wait for a restart. When it returns the monitor
// has agreed. ErrNotRunning: it has ended already. As long as the session is open the monitor leaves the clean-up to the
// caller, who says Cleaned when it is done and closes it in any case.
func NoRestart(dir string) (*Session, error) {
	s, err := hail(dir)
	if err != nil {
		return nil, err
	}
	err = s.send(protocol.FrameNoRestart, nil)
	for err == nil {
		var t protocol.Type
		if t, _, err = s.frames.Next(); t == protocol.FrameNoRestart || t == protocol.FrameExited {
			return s, nil
		}
	}
	_ = s.Close()
	return nil, ErrNotRunning // it ended meanwhile, which is as good
}

// control does one thing over a connection that wants no streams. The monitor reads what was sent after the close, too.
func control(dir string, do func(*Session) error) error {
	s, err := hail(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// hail connects to the monitor in dir without a wish for streams.
func hail(dir string) (*Session, error) {
	f, err := dial(dir)
	if err != nil {
		return nil, err
	}
	s, err := newSession(f, dir, protocol.Hello{})
	if err != nil {
		return nil, err
	}
	if err := s.send(protocol.FrameHello, protocol.Hello{}.Append(nil)); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}
