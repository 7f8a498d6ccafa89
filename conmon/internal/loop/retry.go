package loop

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Read is read(2) without EINTR. n is never negative.
func Read(fd int, p []byte) (n int, err error) {
	for {
		n, err = unix.Read(fd, p)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

// Write is write(2) without EINTR. n is never negative.
func Write(fd int, p []byte) (n int, err error) {
	for {
		n, err = unix.Write(fd, p)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

// WouldBlock reports whether err says to come back later.
func WouldBlock(err error) bool { return errors.Is(err, unix.EAGAIN) }
