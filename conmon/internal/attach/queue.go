package attach

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

const (
	inMemory = 64 << 10 // of one client's unread output
	punch    = 4 << 20  // what was read is given back to the file system in steps of this
)

// errSpillFull means that a client has left more unread than a spill file may hold.
var errSpillFull = errors.New("too much output unread")

// queue is what one client has yet to read, in order: a little in memory, the rest in a file without a name that goes
// with the monitor. The zero value with dir and limit is empty.
type queue struct {
	dir   string
	limit int64 // bytes in the file
	head  []byte
	file  int // 0: none
	start int64
	end   int64 // file[start:end] follows head
}

func (q *queue) empty() bool { return len(q.head) == 0 && q.start == q.end }

// push appends p, or returns an error and appends nothing.
func (q *queue) push(p []byte) error {
	if q.start == q.end && len(q.head)+len(p) <= inMemory {
		q.head = append(q.head, p...)
		return nil
	}
	if q.end-q.start+int64(len(p)) > q.limit {
		return errSpillFull
	}
	if err := q.open(); err != nil {
		return err
	}
	for at := q.end; len(p) > 0; {
		n, err := unix.Pwrite(q.file, p, at)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("pwrite", err)
		}
		p, at = p[max(n, 0):], at+int64(max(n, 0))
		if len(p) == 0 {
			q.end = at
		}
	}
	return nil
}

func (q *queue) open() error {
	if q.file != 0 {
		return nil
	}
	fd, err := unix.Open(q.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil { // a file system without O_TMPFILE
		name := q.dir + "/.spill." + strconv.Itoa(os.Getpid())
		fd, err = unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		_ = unix.Unlink(name)
	}
	if err != nil {
		return &os.PathError{Op: "create spill file", Path: q.dir, Err: err}
	}
	q.file = fd
	return nil
}

// peek returns the next bytes, which stay in the queue until drop.
func (q *queue) peek() ([]byte, error) {
	if len(q.head) == 0 && q.start < q.end {
		buf := make([]byte, min(inMemory/2, q.end-q.start))
		n, err := unix.Pread(q.file, buf, q.start)
		if errors.Is(err, unix.EINTR) {
			return q.peek()
		}
		if err != nil || n <= 0 {
			return nil, os.NewSyscallError("pread", err)
		}
		q.head = buf[:n]
		q.start += int64(n)
		q.release(int64(n))
	}
	return q.head, nil
}

// release gives the blocks of what was read back, and the whole file once it is read to its end.
func (q *queue) release(n int64) {
	if q.start == q.end {
		_ = unix.Ftruncate(q.file, 0)
		q.start, q.end = 0, 0
		return
	}
	if q.start/punch != (q.start-n)/punch {
		const how = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
		_ = unix.Fallocate(q.file, how, 0, q.start/punch*punch) // only saves room
	}
}

// drop takes n bytes of the last peek out.
func (q *queue) drop(n int) {
	q.head = q.head[n:]
	if len(q.head) == 0 {
		q.head = nil
	}
}

// flush writes to fd until it is full or the queue is empty.
func (q *queue) flush(fd int) error {
	for !q.empty() {
		p, err := q.peek()
		if err != nil {
			return err
		}
		n, err := loop.Write(fd, p)
		if loop.WouldBlock(err) {
			return nil
		}
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		q.drop(n)
	}
	return nil
}

func (q *queue) close() {
	if q.file != 0 {
		_ = unix.Close(q.file)
	}
	*q = queue{}
}
