package protocol

import (
	"errors"
	"os"
	"syscall"
)

// ReadFile reads a small file to its end: one on a disk, or of a single record in /proc, of which a read has less than it asks
// for only at the end. os.ReadFile would do, but for the Go runtime's own poller: the monitor has no
// other use for its two descriptors and 20 KB, and the engine, which reads a file or two of each container that runs, would
// pay six system calls more for each.
func ReadFile(path string) ([]byte, error) {
	fd, err := retry(func() (int, error) { return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	data := make([]byte, 0, 512)
	for {
		room := cap(data) - len(data)
		n, err := retry(func() (int, error) { return syscall.Read(fd, data[len(data):cap(data)]) })
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if data = data[:len(data)+n]; n < room {
			return data, nil
		}
		data = append(make([]byte, 0, 2*cap(data)), data...)
	}
}

// retry calls a system call until no signal interrupts it.
func retry(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
