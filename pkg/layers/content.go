package layers

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/pgzip"
	"github.com/vbatts/tar-split/tar/asm"
	tarsplit "github.com/vbatts/tar-split/tar/storage"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"
)

// checkContent compares the layers with the digests of the tars that they were unpacked from, and adds to the report which are not
// what they were, with the images and containers that are made from them. The library's own check follows the links in a layer
// to the machine's files, and takes one that is whole for damaged.
func checkContent(ctx context.Context, store storage.Store, report storage.CheckReport) error {
	all, err := store.Layers()
	if err != nil {
		return err
	}
	parents, damaged := map[string]string{}, map[string]error{}
	for i := range all {
		l := &all[i]
		parents[l.ID] = l.Parent
		if l.UncompressedDigest == "" { // of a container: anything may be in it
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := checkLayer(store, l)
		if err == nil || !store.Exists(l.ID) { // it was removed meanwhile
			continue
		}
		kind, errs := "layer", report.Layers
		if l.ReadOnly {
			kind, errs = "read-only layer", report.ROLayers
		}
		damaged[l.ID] = fmt.Errorf("%s %s: %w", kind, l.ID, err)
		errs[l.ID] = append(errs[l.ID], damaged[l.ID])
	}
	if len(damaged) == 0 {
		return nil
	}
	return spreadDamage(store, report, parents, damaged)
}

// spreadDamage adds the damage of layers to what is made from them.
func spreadDamage(store storage.Store, report storage.CheckReport, parents map[string]string, damaged map[string]error) error {
	images, err := store.Images()
	if err != nil {
		return err
	}
	of := map[string][]error{}
	for i := range images {
		image := &images[i]
		for _, top := range append([]string{image.TopLayer}, image.MappedTopLayers...) {
			for id := top; id != ""; id = parents[id] {
				if err := damaged[id]; err != nil {
					of[image.ID] = append(of[image.ID], err)
				}
			}
		}
		errs := report.Images
		if image.ReadOnly {
			errs = report.ROImages
		}
		if len(of[image.ID]) > 0 {
			errs[image.ID] = append(errs[image.ID], of[image.ID]...)
		}
	}
	containers, err := store.Containers()
	for i := range containers {
		if c := &containers[i]; len(of[c.ImageID]) > 0 {
			report.Containers[c.ID] = append(report.Containers[c.ID], of[c.ImageID]...)
		}
	}
	return err
}

// checkLayer makes the tar of a layer again, and compares it.
func checkLayer(store storage.Store, l *storage.Layer) error {
	if err := l.UncompressedDigest.Validate(); err != nil {
		return err
	}
	digester := l.UncompressedDigest.Algorithm().Digester()
	n := counted{w: digester.Hash()}
	if err := writeTar(store, l.ID, &n); err != nil {
		return err
	}
	if digester.Digest() != l.UncompressedDigest {
		return storage.ErrLayerIncorrectContentDigest
	}
	if l.UncompressedSize > 0 && n.bytes != l.UncompressedSize {
		return fmt.Errorf("read %d bytes instead of %d: %w", n.bytes, l.UncompressedSize, storage.ErrLayerIncorrectContentSize)
	}
	return nil
}

func writeTar(store storage.Store, id string, w io.Writer) error {
	parts, err := OpenParts(store, id)
	if err != nil {
		return err
	}
	if parts == nil {
		plain := archive.Uncompressed
		diff, err := store.Diff("", id, &storage.DiffOptions{Compression: &plain})
		if err != nil {
			return err
		}
		_, err = io.Copy(w, diff)
		return errors.Join(err, diff.Close())
	}
	split, err := pgzip.NewReader(parts.Split)
	if err == nil {
		err = asm.WriteOutputTarStream(parts.Files, tarsplit.NewJSONUnpacker(split), w)
		err = errors.Join(err, split.Close())
	}
	return errors.Join(err, parts.Close())
}

type counted struct {
	w     io.Writer
	bytes int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.bytes += int64(n)
	return n, err
}
