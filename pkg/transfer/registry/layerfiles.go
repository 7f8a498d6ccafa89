package registry

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	drivers "go.podman.io/storage/drivers"

	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/safepath"
)

// layerFiles reads the files of a layer, and follows no link out of its folder. The library opens them by their paths as the machine
// sees them: of a layer with a link "a" to /etc and a file "a/hostname", which is in the layer's own /etc, it would pack the machine's.
type layerFiles struct {
	dirs  []*os.File // the layer's own, and what was needed of those below
	below []string   // which a copy of a layer for other ids has its files in
}

// layerFilesIn returns the files of a layer in the folder of its driver, nil when only the library knows where they are.
func layerFilesIn(home string, driver drivers.Driver, id string) (drivers.FileGetCloser, error) {
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
		return driver.(drivers.DiffGetterDriver).DiffGetter(id) //nolint:forcetypeassert // overlay is one
	}
	lower, err := os.ReadFile(filepath.Join(home, id, "lower"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return openLayer(diff, layers.Lowers(home, string(lower)))
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
