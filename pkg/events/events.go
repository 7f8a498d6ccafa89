// Package events keeps what happened in one file of JSON lines under the runtime directory, as podman's events backend
// "file" (podman-events(1)). A line is one write(2) to a file opened for append, so lines of several processes never mix;
// at maxSize the file moves to its name with ".1", over the older one.
package events

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/failpoint"
)

const maxSize = 1 << 20

// Log is the file; one of an empty path takes everything and keeps nothing (backend "none").
type Log struct{ Path string }

// Write appends an event. An event that cannot be written is lost: no command fails for it.
func (l *Log) Write(event any) {
	if l.Path == "" {
		return
	}
	line, err := json.Marshal(event)
	if err != nil {
		return
	}
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOFOLLOW
	f, err := os.OpenFile(l.Path, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if os.MkdirAll(filepath.Dir(l.Path), 0o700) != nil {
			return
		}
		f, err = os.OpenFile(l.Path, flags, 0o600)
	}
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(append(line, '\n'))
	if st, err := f.Stat(); err == nil && st.Size() > maxSize {
		failpoint.Hit("events/rotate")
		_ = os.Rename(l.Path, l.Path+".1")
	}
}

// Read calls fn with each line, oldest first. With follow it goes on with what is written later until ctx ends.
func (l *Log) Read(ctx context.Context, follow bool, fn func(line []byte) error) error {
	var w *watcher
	if follow {
		var err error
		if w, err = watch(filepath.Dir(l.Path)); err != nil { // before the first read: nothing falls in between
			return err
		}
		defer w.close()
	}
	if err := readAll(l.Path+".1", fn); err != nil {
		return err
	}
	f, err := l.open(ctx, w)
	if f == nil || err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReader(f)
	var part []byte
	for {
		line, err := in.ReadBytes('\n')
		part = append(part, line...)
		if err == nil {
			if err := fn(bytes.TrimSpace(part)); err != nil {
				return err
			}
			part = part[:0]
			continue
		}
		if !errors.Is(err, io.EOF) || !follow {
			return ignoreEOF(err)
		}
		if moved(f, l.Path) {
			next, err := os.Open(l.Path)
			if err == nil {
				_ = f.Close()
				f = next
				in.Reset(f)
				continue
			}
		}
		if !w.wait(ctx) {
			return nil
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func readAll(path string, fn func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // no older file
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if err := fn(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// open opens the file, with a watcher as soon as there is one; nil without an error when there is none.
func (l *Log) open(ctx context.Context, w *watcher) (*os.File, error) {
	for {
		f, err := os.Open(l.Path)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if w == nil || !w.wait(ctx) {
			return nil, nil
		}
	}
}

func moved(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && !os.SameFile(mine, there)
}
