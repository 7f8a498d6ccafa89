// Package term handles the terminal that a command runs on: its size, raw mode and the way back from it.
package term

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// IsTerminal reports whether f is a terminal; false for nil.
func IsTerminal(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := get(f)
	return err == nil
}

// Size returns the size of the terminal f in characters.
func Size(f *os.File) (width, height uint16, err error) {
	var size *unix.Winsize
	err = control(f, func(fd int) error {
		var err error
		size, err = unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read size of terminal %q: %w", f.Name(), err)
	}
	return size.Col, size.Row, nil
}

// State is how a terminal was before MakeRaw.
type State struct {
	file    *os.File
	termios unix.Termios
}

// MakeRaw puts the terminal f into raw mode (termios(3), cfmakeraw): each byte that is typed is handed on as it is.
func MakeRaw(f *os.File) (*State, error) {
	old, err := get(f)
	if err != nil {
		return nil, fmt.Errorf("read mode of terminal %q: %w", f.Name(), err)
	}
	raw := *old
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag &^= unix.CSIZE | unix.PARENB
	raw.Cflag |= unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := set(f, &raw); err != nil {
		return nil, fmt.Errorf("put terminal %q into raw mode: %w", f.Name(), err)
	}
	return &State{f, *old}, nil
}

// Restore puts the terminal back; fine more than once, and with nil.
func (s *State) Restore() error {
	if s == nil {
		return nil
	}
	if err := set(s.file, &s.termios); err != nil {
		return fmt.Errorf("restore terminal %q: %w", s.file.Name(), err)
	}
	return nil
}

// File is the terminal.
func (s *State) File() *os.File { return s.file }

// Bytes is the kernel's struct termios of before, for another process on this machine to restore.
func (s *State) Bytes() []byte {
	return encode(&s.termios)
}

// Resized returns a channel that gets a value when the size of the controlling terminal has changed (SIGWINCH); one that
// is not read yet stands for all. stop ends it.
func Resized() (changed <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

func get(f *os.File) (t *unix.Termios, err error) {
	err = control(f, func(fd int) error {
		var err error
		t, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	})
	return t, err
}

func set(f *os.File, t *unix.Termios) error {
	return control(f, func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, t) })
}

// control calls do with the descriptor of f, which stays in its mode: File.Fd would make it blocking. EINTR is retried.
func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		for {
			if inner = do(int(fd)); !errors.Is(inner, unix.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, inner)
}
