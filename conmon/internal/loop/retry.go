package loop

import (
	"errors"
	"os"

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

// ReadFile reads a small file to its end. os.ReadFile would do, but for the Go runtime's own poller, which it sets up: two
// descriptors and 20 KB that the monitor has no other use for.
func ReadFile(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	data := make([]byte, 0, 1024)
	for {
		n, err := Read(fd, data[len(data):cap(data)])
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return data, nil
		}
		if data = data[:len(data)+n]; len(data) == cap(data) {
			data = append(make([]byte, 0, 2*cap(data)), data...)
		}
	}
}

// WouldBlock reports whether err says to come back later.
func WouldBlock(err error) bool { return errors.Is(err, unix.EAGAIN) }
