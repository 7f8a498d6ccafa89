package layers

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.podman.io/storage"
	drivers "go.podman.io/storage/drivers"

	"hull.dev/hull/pkg/safepath"
)

// Parts are what the tar of a layer is made of again. Close closes both.
type Parts struct {
	Files drivers.FileGetCloser // the contents of its files; no link in the layer is followed out of its folder
	Split *os.File              // its tar-split, compressed with gzip
}

// Close closes what the tar is made of.
func (p *Parts) Close() error { return errors.Join(p.Files.Close(), p.Split.Close()) }

// OpenParts finds a layer in whichever of the stores and opens what its tar is made of: nil when only the library knows where that
// is (btrfs, zfs, composefs, an additional layer store). It needs no lock: nobody writes to a layer, and what is removed from now on
// stays open, or is missed.
func OpenParts(store storage.Store, id string) (*Parts, error) {
	driver, err := store.GraphDriver()
	if err != nil {
		return nil, err
	}
	roots := append([]string{store.GraphRoot()}, driver.AdditionalImageStores()...)
	if dir := store.ImageStore(); dir != "" {
		roots = append(roots, dir)
	}
	for _, root := range roots {
		split, err := os.Open(filepath.Join(root, driver.String()+"-layers", id+".tar-split.gz"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files, err := openFiles(filepath.Join(root, driver.String()), driver, id)
		if err != nil || files == nil {
			return nil, errors.Join(err, split.Close())
		}
		return &Parts{files, split}, nil
	}
	return nil, nil //nolint:nilnil // the library's to do
}

// openFiles opens a layer in the folder of its driver.
func openFiles(home string, driver drivers.Driver, id string) (drivers.FileGetCloser, error) {
	switch driver.String() {
	case "vfs":
		return openLayer(filepath.Join(home, "dir", id), nil)
	case "overlay":
	default:
		return nil, nil //nolint:nilnil // the library's to do
	}
	diff := filepath.Join(home, id, "diff")
	info, err := os.Lstat(diff)
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(filepath.Join(home, id, "composefs-data"))
	if !info.IsDir() || !errors.Is(err, fs.ErrNotExist) { // it is elsewhere (additionallayerstore in storage.conf), or composefs'
		return nil, nil //nolint:nilnil // the library's to do
	}
	lower, err := os.ReadFile(filepath.Join(home, id, lowerFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return openLayer(diff, lowersOf(home, string(lower)))
}

// layerFiles reads the files of a layer. The library opens them by their paths as the machine sees them: of a layer with a link "a"
// to /etc and a file "a/hostname", which is in the layer's own /etc, it would read the machine's.
type layerFiles struct {
	dirs  []*os.File // the layer's own, and what was needed of those below
	below []string   // which a copy of a layer for other ids has its files in
}

func openLayer(dir string, below []string) (*layerFiles, error) {
	own, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &layerFiles{[]*os.File{own}, below}, nil
}

// Get opens a file. It is part of storage.FileGetter of tar-split.
func (l *layerFiles) Get(name string) (io.ReadCloser, error) {
	var failed error
	for i := 0; ; i++ {
		if i == len(l.dirs) {
			if len(l.below) == 0 {
				return nil, failed
			}
			next, err := os.Open(l.below[0])
			if err != nil {
				return nil, err
			}
			l.dirs, l.below = append(l.dirs, next), l.below[1:]
		}
		file, err := safepath.OpenRegular(l.dirs[i], name)
		if err == nil {
			return file, nil
		}
		failed = cmp.Or(failed, err)
	}
}

// Close closes the folders.
func (l *layerFiles) Close() error {
	var failed []error
	for _, dir := range l.dirs {
		failed = append(failed, dir.Close())
	}
	return errors.Join(failed...)
}
