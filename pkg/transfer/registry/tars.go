package registry

import (
	"io"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"

	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer/layer"
)

// layerTar is the tar of a layer in the store. It is written once, and closed.
type layerTar struct {
	write  func(w io.Writer) error
	close  func() error
	locked bool // the store is, until close
}

// tar makes the tar of a layer again. Where its files are at hand no lock is needed. The library reads a layer with the list of all
// layers locked for writing, so that one is read at a time and no other command gets at the store meanwhile.
func (f *flowingSource) tar(l storage.Layer) (*layerTar, error) {
	parts, err := layers.OpenParts(f.store, l.ID)
	if err != nil {
		return nil, err
	}
	if parts != nil {
		return &layerTar{
			write: func(w io.Writer) error { return layer.Pack(parts.Files, parts.Split, w) },
			close: parts.Close,
		}, nil
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

// drained is how many bytes of a layer that nobody wants any more are still read: the library's reader is not made to be closed
// while it works, and most layers end before.
const drained = 16 << 20
