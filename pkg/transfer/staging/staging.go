// Package staging has the folders in which a job of hull-image has files that the store is to get, or that are on their way: where
// they lie, whose they are, and which of them a job that was killed has left.
//
// Each is mode 0700 and locked with flock(2) while its job lives.
package staging

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/spread"
)

// Place is where folders of one kind lie, in the graph root.
type Place struct {
	dir, prefix string
	folders     bool // it is for folders full of files, and not for single ones
}

// The places. Blobs is of blobs and archives. Layers is of layers that were unpacked, on the mount of the overlay driver's, where the
// store can rename them: podman leaves alone what it has not made there, and removes the library's own folder for this,
// overlay/staging, whenever it ends.
var (
	Blobs  = Place{dir: "hull-image"}
	Layers = Place{dir: "overlay/tempdirs", prefix: "hull-", folders: true}
)

// Claim makes a folder and locks it. It is removed by the caller, before lock is closed.
func Claim(graphRoot string, p Place) (dir string, lock *os.File, err error) {
	parent := filepath.Join(graphRoot, p.dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, err
	}
	for {
		dir, err := os.MkdirTemp(parent, p.prefix)
		if err != nil {
			return "", nil, err
		}
		if lock := take(dir); lock != nil {
			if p.folders {
				spread.Folders(lock) // a layer in each
			}
			return dir, lock, nil
		}
		// Another job took the new folder for a stale one, before it was locked.
	}
}

// Stale are the folders that nobody has locked.
func Stale(graphRoot string) ([]string, error) {
	var stale []string
	err := each(graphRoot, func(dir string) error {
		if lock := take(dir); lock != nil {
			stale = append(stale, dir)
			return lock.Close()
		}
		return nil
	})
	return stale, err
}

// Sweep removes the folders that nobody has locked.
func Sweep(graphRoot string) error {
	return each(graphRoot, func(dir string) error {
		lock := take(dir)
		if lock == nil {
			return nil
		}
		return errors.Join(os.RemoveAll(dir), lock.Close())
	})
}

func each(graphRoot string, do func(dir string) error) error {
	var failed []error
	for _, p := range []Place{Layers, Blobs} {
		parent := filepath.Join(graphRoot, p.dir)
		entries, err := os.ReadDir(parent)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), p.prefix) {
				failed = append(failed, do(filepath.Join(parent, e.Name())))
			}
		}
	}
	return errors.Join(failed...)
}

// take returns the locked folder, or nil when another process has it or it is gone.
func take(dir string) *os.File {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil
	}
	mine, err := f.Stat()
	there, err2 := os.Lstat(dir)
	if err != nil || err2 != nil || !os.SameFile(mine, there) {
		_ = f.Close()
		return nil
	}
	return f
}
