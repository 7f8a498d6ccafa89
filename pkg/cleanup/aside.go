package cleanup

import (
	"errors"
	"os"
	"path/filepath"
)

// Aside moves a folder into the folder gone of the same file system, where someone else removes it later: a container's
// monitor (conmon/protocol.Request, Discard). One that cannot be moved is removed; one that is not there is fine.
func Aside(dir, gone string) error {
	to := filepath.Join(gone, filepath.Base(dir))
	err := os.Rename(dir, to)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.Mkdir(gone, 0o700); errors.Is(err, os.ErrNotExist) {
			return nil // and so is dir
		}
		err = os.Rename(dir, to)
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return os.RemoveAll(dir)
}
