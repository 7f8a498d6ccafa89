package events

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watcher wakes when something changes in the folder of the log (inotify(7)).
type watcher struct{ file *os.File }

func watch(dir string) (*watcher, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "watch", Path: dir, Err: err}
	}
	return &watcher{os.NewFile(uintptr(fd), "inotify")}, nil
}

// wait returns true when something has changed since the last wait, which may be another file, and false when ctx ended.
func (w *watcher) wait(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() { _ = w.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := w.file.Read(make([]byte, 4096))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return ctx.Err() == nil
}

func (w *watcher) close() { _ = w.file.Close() }
