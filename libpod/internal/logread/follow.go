package logread

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// follow hands out what is written from now on, over rotations, until the container's log is complete.
func (r *reader) follow(w *watcher) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	events := make(chan error)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.pump(ctx, events)
	}()
	defer func() {
		cancel()
		w.interrupt()
		<-stopped
	}()
	var until <-chan time.Time
	if !r.o.Until.IsZero() {
		t := time.NewTimer(time.Until(r.o.Until))
		defer t.Stop()
		until = t.C
	}
	for last := false; ; {
		if err := r.catchUp(); err != nil || last {
			return errors.Join(err, r.lastWords(last, err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.o.Done:
			last = true // once more, for what was written before
		case <-until:
			last = true
		case err := <-events:
			if err != nil {
				return fmt.Errorf("follow log %q: %w", r.path, err)
			}
		}
	}
}

// lastWords hands out a record without a newline when nothing more will come.
func (r *reader) lastWords(last bool, err error) error {
	if !last || err != nil {
		return nil //nolint:nilerr // follow returns it
	}
	return r.rest()
}

// catchUp reads on in the file, and in the one that has taken its place.
func (r *reader) catchUp() error {
	for {
		if err := r.drain(); err != nil {
			return err
		}
		next, err := openLog(r.path)
		if err != nil || next == nil {
			return err
		}
		if r.file != nil && sameFile(r.file, next) {
			return next.Close()
		}
		// The writer moves a file away only when it is done with it, so what is left in it is whole; it may have grown
		// since the drain above.
		if err := r.drain(); err != nil {
			_ = next.Close()
			return err
		}
		if err := r.between(); err != nil {
			_ = next.Close()
			return err
		}
		r.turnTo(next)
	}
}

// between reads the rotated file when it is not the one that was read last: the writer has rotated twice meanwhile.
func (r *reader) between() error {
	old, err := openLog(r.path + ".1")
	if err != nil || old == nil {
		return err
	}
	if r.file == nil || sameFile(r.file, old) {
		return old.Close()
	}
	r.turnTo(old)
	return r.drain()
}

func (r *reader) turnTo(f *os.File) {
	r.close()
	r.file, r.buf, r.at = f, nil, 0
}

// watcher wakes at changes in the folder of a log.
type watcher struct {
	file *os.File // inotify
}

func newWatcher(path string) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	const changes = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), changes); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "watch", Path: filepath.Dir(path), Err: err}
	}
	return &watcher{os.NewFile(uintptr(fd), "inotify")}, nil
}

// pump sends nil for each batch of changes; what they are does not matter, the files are looked at anyway.
func (w *watcher) pump(ctx context.Context, events chan<- error) {
	buf := make([]byte, 4096)
	for {
		_, err := w.file.Read(buf)
		if ctx.Err() != nil {
			return
		}
		select {
		case events <- err:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (w *watcher) interrupt() { _ = w.file.SetReadDeadline(time.Unix(1, 0)) }

func (w *watcher) close() { _ = w.file.Close() }
