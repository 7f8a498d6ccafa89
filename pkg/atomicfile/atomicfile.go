// Package atomicfile writes files whole or not at all: a reader sees the old content or the new, also after a crash.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Write puts data at path with mode 0600: a new file beside it, O_EXCL, synced, renamed over path. A symbolic link at
// path is replaced, not followed.
func Write(path string, data []byte) error { return write(path, data, true) }

// WriteVolatile is Write without the sync, for folders that a reboot empties.
func WriteVolatile(path string, data []byte) error { return write(path, data, false) }

func write(path string, data []byte, sync bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %q: %w", path, err)
		}
	}()
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Create makes a new file at path with mode 0600 and opens it for writing; os.ErrExist when there is one.
func Create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
}
