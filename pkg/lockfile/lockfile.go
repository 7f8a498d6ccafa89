// Package lockfile locks objects between processes: one empty file per object, held with flock(2), so that the kernel
// releases the lock of a process that dies. A file is removed only while its lock is held; who opened the removed file
// meanwhile sees that the path no longer leads to it and opens again.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is a folder of lock files, mode 0700.
type Dir string

// Lock is a held lock.
type Lock struct {
	file *os.File
	path string
}

// ErrBusy means that another process holds the lock.
var ErrBusy = errors.New("locked by another process")

// TryLock takes the lock called name, or returns ErrBusy at once.
func (d Dir) TryLock(name string) (*Lock, error) { return d.try(name, unix.LOCK_EX) }

func (d Dir) try(name string, how int) (*Lock, error) {
	path := filepath.Join(string(d), name)
	for {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		if err := flock(f, how|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, ErrBusy
			}
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		if current(f, path) {
			return &Lock{f, path}, nil
		}
		_ = f.Close()
	}
}

// Lock takes the lock called name and waits for it until ctx ends. The wait is a poll that slows down from 1 ms to
// 20 ms: flock(2) has no deadline, and a thread that blocks in it cannot be cancelled.
func (d Dir) Lock(ctx context.Context, name string) (*Lock, error) {
	return d.wait(ctx, name, unix.LOCK_EX)
}

// Share is Lock for one of many holders, beside whom nobody has the lock alone. A shared lock is never removed.
func (d Dir) Share(ctx context.Context, name string) (*Lock, error) {
	return d.wait(ctx, name, unix.LOCK_SH)
}

func (d Dir) wait(ctx context.Context, name string, how int) (*Lock, error) {
	wait := time.Millisecond
	for {
		l, err := d.try(name, how)
		if !errors.Is(err, ErrBusy) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %q: %w", name, context.Cause(ctx))
		case <-time.After(wait):
			wait = min(2*wait, 20*time.Millisecond)
		}
	}
}

// Unlock releases the lock. The file stays for the next.
func (l *Lock) Unlock() { _ = l.file.Close() }

// Remove releases the lock of an object that is gone, with its file.
func (l *Lock) Remove() {
	_ = os.Remove(l.path)
	_ = l.file.Close()
}

func open(path string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE | unix.O_NOFOLLOW
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, flags, 0o600)
	}
	return f, err
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// current reports whether path still leads to the file that f is.
func current(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}
