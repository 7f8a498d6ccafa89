package registry

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/pkg/compression"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"

	"hull.dev/hull/pkg/errs"
)

// stillness is how long the store may read nothing of a layer before the layer's headers are looked at.
const stillness = 5 * time.Second

// putAll has the store unpack the layers, from the lowest up.
func (a *ahead) putAll(ctx context.Context, missing []int, parent string) error {
	for _, i := range missing {
		l, want, id := a.layers[i], a.diffs[i], a.ids[i]
		if a.store.GraphDriverName() != "overlay" { // others have all layers locked for as long as one is unpacked
			if err := a.spools[l.Digest].whole(ctx); err != nil {
				return err
			}
		}
		made, err := a.put(ctx, id, parent, l)
		if errors.Is(err, storage.ErrDuplicateID) { // another pull was faster
			parent = id
			continue
		}
		if err != nil {
			return fmt.Errorf("unpack layer %s: %w", l.Digest, err)
		}
		if made.UncompressedDigest != want {
			return errors.Join(otherDiff(l, made.UncompressedDigest, want), a.store.DeleteLayer(id))
		}
		parent = id
	}
	return nil
}

// otherDiff is the error for a layer that is not what the image's config says.
func otherDiff(l types.BlobInfo, got, want digest.Digest) error {
	return errs.Invalid("layer %s holds DiffID %s, and the image's config says %s", l.Digest, got, want)
}

// put makes a layer in the store. A file in a tar may be all hole, a terabyte of it in a kilobyte (sparse files of GNU tar
// and pax): the store goes through it byte by byte, in a loop that nothing stops and guard cannot see, for no byte is read.
// When it stands still, the headers say what the layer is to become, and one that is to become too much is given up: the
// store's goroutine ends with this process, and the next that opens the store removes the layer that it began.
func (a *ahead) put(ctx context.Context, id, parent string, l types.BlobInfo) (*storage.Layer, error) {
	type result struct {
		layer *storage.Layer
		err   error
	}
	done := make(chan result, 1)
	r := a.spools[l.Digest].reader(ctx)
	go func() {
		layer, _, err := a.store.PutLayer(id, parent, nil, "", false, &storage.LayerOptions{OriginalDigest: l.Digest}, r)
		done <- result{layer, err}
	}()
	tick := time.NewTicker(stillness)
	defer tick.Stop()
	for before := int64(0); ; before = r.offset.Load() {
		select {
		case made := <-done:
			return made.layer, made.err
		case <-tick.C:
		}
		if r.offset.Load() != before || !r.idle() {
			continue
		}
		tick.Stop() // once
		if err := a.becomes(ctx, l); err != nil {
			endChildren() // which would go on and fill the disk
			return nil, err
		}
	}
}

// becomes is an error for a layer whose headers say that it becomes too much. One that cannot be read is the store's to
// refuse.
func (a *ahead) becomes(ctx context.Context, l types.BlobInfo) error {
	in, _, err := compression.AutoDecompress(a.spools[l.Digest].reader(ctx))
	if err != nil {
		return nil
	}
	defer in.Close()
	t := tar.NewReader(in)
	for total := int64(0); ; {
		h, err := t.Next()
		if err != nil {
			return nil // its end, mostly
		}
		if total += h.Size; total < 0 {
			total = 1 << 62
		}
		if err := unpacked("layer "+l.Digest.String(), total, a.job.stage.packed.Load()); err != nil {
			return err
		}
	}
}
