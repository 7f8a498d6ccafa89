package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	drivers "go.podman.io/storage/drivers"
	"golang.org/x/sync/errgroup"

	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer/layer"
	"hull.dev/hull/pkg/transfer/staging"
)

// takesOver reports whether layers are unpacked here and the store takes the folders over: that of overlayfs in the kernel,
// where the files of a layer look as they do in the tar. With options that change how they look, the library unpacks.
func takesOver(store storage.Store) bool {
	return store.GraphDriverName() == "overlay" && store.ImageStore() == "" && len(store.UIDMap())+len(store.GIDMap()) == 0 &&
		!slices.ContainsFunc(store.GraphOptions(), func(option string) bool {
			key, _, _ := strings.Cut(option, "=")
			return !slices.Contains([]string{"mountopt", "skip_mount_home", "sync"}, key[strings.LastIndex(key, ".")+1:])
		})
}

// smallUnpack is up to how many packed bytes the collector is left as it is: for one small layer, where little is in use, it would be at
// work all the time, a sixth of that of the pull.
const smallUnpack = 8 << 20

// size is how many bytes these layers have as they are packed.
func (a *ahead) size(missing []int) (total int64) {
	for _, i := range missing {
		if a.layers[i].Size < 0 { // it is not known
			return math.MaxInt64
		}
		total += a.layers[i].Size
	}
	return total
}

// unpackAll unpacks the layers beside each other, the lowest first, and hands them to the store from the lowest up.
func (a *ahead) unpackAll(ctx context.Context, missing []int, parent string) (err error) {
	dir, lock, err := staging.Claim(a.store.GraphRoot(), staging.Layers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir), lock.Close()) }()
	if a.size(missing) > smallUnpack {
		defer beFrugal()()
	}
	made := make([]chan *drivers.DriverWithDifferOutput, len(missing))
	for n := range made {
		made[n] = make(chan *drivers.DriverWithDifferOutput, 1)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(runtime.NumCPU())
		for n, i := range missing {
			g.Go(func() error {
				out, err := a.unpack(ctx, i, filepath.Join(dir, filepath.Base(dir)+"-"+strconv.Itoa(n))) // names of its own, by which ext4 spreads them
				if err != nil {
					return fmt.Errorf("unpack layer %s: %w", a.layers[i].Digest, err)
				}
				made[n] <- out
				return nil
			})
		}
		return g.Wait()
	})
	g.Go(func() error {
		for n, i := range missing {
			select {
			case out := <-made[n]:
				if err := a.take(i, parent, out); err != nil {
					return err
				}
				parent = a.ids[i]
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	return g.Wait()
}

// unpack makes a layer's files in dir.
func (a *ahead) unpack(ctx context.Context, i int, dir string) (_ *drivers.DriverWithDifferOutput, err error) {
	l := a.layers[i]
	if err := os.Mkdir(dir, 0o555); err != nil { // as the driver's are
		return nil, err
	}
	split, err := a.job.stage.unnamed()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = split.Close()
		}
	}()
	packed, err := a.packed(ctx, i)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	o := layer.Options{Dir: dir, Size: l.Size, Split: split, Grow: a.grow(ctx, l)}
	entries := &tarEntries{job: a.job, what: "layer " + l.Digest.String()}
	if a.bundle != nil {
		o.Entry = entries.check
	}
	made, err := layer.Unpack(ctx, packed, o)
	switch {
	case err != nil && a.bundle != nil && ctx.Err() == nil:
		return nil, entries.why(err)
	case err != nil:
		return nil, err
	case made.DiffID != a.diffs[i] && a.diffs[i] == l.Digest:
		return nil, a.job.wrongDigest(l.Digest, made.DiffID)
	case made.DiffID != a.diffs[i]:
		return nil, otherDiff(l, made.DiffID, a.diffs[i])
	}
	if _, err := split.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &drivers.DriverWithDifferOutput{
		Target: dir, TarSplit: split, Size: made.Size, UIDs: made.UIDs, GIDs: made.GIDs, RootDirMode: made.RootMode,
		UncompressedDigest: made.DiffID, CompressedDigest: l.Digest,
	}, nil
}

// packed opens a layer as it is in the registry or the archive. What comes out is what its digest says, or what comes of it is
// about to be compared with the same digest.
func (a *ahead) packed(ctx context.Context, i int) (io.ReadCloser, error) {
	l := a.layers[i]
	if a.bundle == nil {
		return io.NopCloser(a.spools[l.Digest].reader(ctx)), nil
	}
	a.job.say(copying + l.Digest.String())
	if a.diffs[i] == l.Digest {
		return a.bundle.blobs[l.Digest].open()
	}
	r, _, err := a.src.GetBlob(ctx, l, none.NoCache)
	return r, err
}

// whole waits until all of a layer is here as it is packed.
func (a *ahead) whole(ctx context.Context, l types.BlobInfo) error {
	if a.bundle != nil {
		return nil
	}
	return a.spools[l.Digest].whole(ctx)
}

// take hands a layer to the store. One that the store has meanwhile stays.
func (a *ahead) take(i int, parent string, out *drivers.DriverWithDifferOutput) error {
	failpoint.Hit("pull/unpacked")
	if _, err := a.store.Layer(a.ids[i]); err == nil { // another pull was faster
		return out.TarSplit.Close()
	}
	_, err := a.store.ApplyStagedLayer(storage.ApplyStagedLayerOptions{ID: a.ids[i], ParentLayer: parent, DiffOutput: out})
	if err != nil {
		return fmt.Errorf("store layer %s: %w", a.layers[i].Digest, err)
	}
	a.made = append(a.made, a.ids[i])
	return nil
}

// complete reports whether the store has all layers of the image.
func (a *ahead) complete() bool {
	return len(a.ids) == len(a.bundle.layers) && !slices.ContainsFunc(a.ids, func(id string) bool {
		_, err := a.store.Layer(id)
		return err != nil
	})
}

// takeBack removes the layers that were made, from the uppermost down, but for those that others have come to use.
func (a *ahead) takeBack() {
	for _, id := range slices.Backward(a.made) {
		_ = a.store.DeleteLayer(id) // it is in use, or gone
	}
}

// diskStep is how many bytes a layer grows between two looks at the disk.
const diskStep = 16 << 20

// grow stops a layer from becoming too much. What may come of the packed bytes is not known before they all are here.
func (a *ahead) grow(ctx context.Context, l types.BlobInfo) func(bytes int64) error {
	what, sinceLook := "layer "+l.Digest.String(), int64(0)
	return func(bytes int64) error {
		total := a.grown.Add(bytes)
		if err := unpacked(what, total, a.job.stage.packed.Load()); err != nil {
			if err := a.whole(ctx, l); err != nil {
				return err
			}
			if err := unpacked(what, total, a.job.stage.packed.Load()); err != nil {
				return err
			}
		}
		if sinceLook += bytes; sinceLook < diskStep {
			return nil
		}
		sinceLook = 0
		if a.job.stage.free() < bytes {
			return noSpace(a.job.request.Source, "unpacks to")
		}
		return nil
	}
}
