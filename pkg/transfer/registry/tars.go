package registry

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"

	"hull.dev/hull/pkg/transfer/layer"
)

// layerTar is the tar of a layer in the store. It is written once, and closed.
type layerTar struct {
	write  func(w io.Writer) error
	close  func() error
	locked bool // the store is, until close
}

// tar makes the tar of a layer again. The library does that with the list of all layers locked for writing, so that
// one layer is read at a time and no other command gets at the store meanwhile. Where the files of a layer are at hand nobody writes
// them, and no lock is needed.
func (f *flowingSource) tar(l storage.Layer) (*layerTar, error) {
	t, err := f.fromSplit(l)
	if t != nil || err != nil {
		return t, err
	}
	plain := archive.Uncompressed
	diff, err := f.store.Diff("", l.ID, &storage.DiffOptions{Compression: &plain})
	if err != nil {
		return nil, err
	}
	return &layerTar{
		write: func(w io.Writer) error {
			_, err := io.Copy(w, diff)
			if err != nil {
				_, _ = io.CopyN(io.Discard, diff, drained)
			}
			return err
		},
		close:  diff.Close,
		locked: true,
	}, nil
}

// fromSplit is tar for a layer whose tar-split is there, in whichever of the stores; nil for another. No lock is needed: what is removed
// from now on stays open, or is missed.
func (f *flowingSource) fromSplit(l storage.Layer) (*layerTar, error) {
	driver, err := f.store.GraphDriver()
	if err != nil {
		return nil, err
	}
	roots := append([]string{f.store.GraphRoot()}, driver.AdditionalImageStores()...)
	if dir := f.store.ImageStore(); dir != "" {
		roots = append(roots, dir)
	}
	for _, root := range roots {
		split, err := os.Open(filepath.Join(root, f.store.GraphDriverName()+"-layers", l.ID+".tar-split.gz"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files, err := layerFilesIn(filepath.Join(root, f.store.GraphDriverName()), driver, l.ID)
		if err != nil || files == nil {
			return nil, errors.Join(err, split.Close())
		}
		return &layerTar{
			write: func(w io.Writer) error { return layer.Pack(files, split, w) },
			close: func() error { return errors.Join(files.Close(), split.Close()) },
		}, nil
	}
	return nil, nil //nolint:nilnil // the library's to do
}

// drained is how many bytes of a layer that nobody wants any more are still read: the library's reader is not made to be closed
// while it works, and most layers end before.
const drained = 16 << 20
