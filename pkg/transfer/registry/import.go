package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/pkg/compression"
	"go.podman.io/image/v5/tarball"

	"hull.dev/hull/pkg/transfer"
)

// importTar makes an image of one layer from the tar of a root file system (podman-import(1)). Config, manifest and so
// the digests are those that podman makes of the same file: a layer in gzip or zstd stays as it is.
func (j *job) importTar(ctx context.Context) (_ transfer.Result, err error) {
	config, err := changed(j.request.Import.Changes)
	if err != nil {
		return transfer.Result{}, err
	}
	file, info, err := j.input()
	if err != nil {
		return transfer.Result{}, err
	}
	if info.IsDir() {
		return transfer.Result{}, j.bad("it is a folder; import reads a tar of one")
	}
	when := info.ModTime()
	if !info.Mode().IsRegular() {
		when = time.Now()
	}
	// A layer has no media type for bzip2 and xz: those are unpacked first.
	if file, err = j.seekable(ctx, file, info, false); err != nil {
		return transfer.Result{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	layer, err := j.describe(ctx, file)
	if err != nil {
		return transfer.Result{}, err
	}
	b, err := j.importBundle(layer, config, when.UTC())
	if err != nil {
		return transfer.Result{}, err
	}
	return j.put(ctx, []*bundle{b})
}

// layerFile is the only layer of an imported image.
type layerFile struct {
	v1.Descriptor
	diffID digest.Digest
	blob   blob
}

// describe reads the layer through once, for its digests.
func (j *job) describe(ctx context.Context, file *os.File) (layerFile, error) {
	info, err := file.Stat()
	if err != nil {
		return layerFile{}, err
	}
	whole := digest.Canonical.Digester()
	algorithm, decompress, r, err := compression.DetectCompressionFormat(io.TeeReader(file, whole.Hash()))
	if err != nil {
		return layerFile{}, j.bad("%v", err)
	}
	l := layerFile{blob: in(single{file}, "", info.Size())}
	l.Size = info.Size()
	if decompress == nil {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return layerFile{}, j.bad("%v", err)
		}
		l.MediaType, l.Digest, l.diffID = v1.MediaTypeImageLayer, whole.Digest(), whole.Digest()
		return l, nil
	}
	plain, err := decompressed(ctx, algorithm, decompress, r, info.Size())
	if err != nil {
		return layerFile{}, j.bad("%v", err)
	}
	defer plain.Close()
	switch algorithm.Name() {
	case compression.Gzip.Name():
		l.MediaType = v1.MediaTypeImageLayerGzip
	case compression.Zstd.Name():
		l.MediaType = v1.MediaTypeImageLayerZstd
	default:
		return j.describeUnpacked(ctx, plain, info.Size())
	}
	free, unpacked := j.stage.free(), digest.Canonical.Digester()
	n, err := io.Copy(unpacked.Hash(), io.LimitReader(plain, free+1))
	if err == nil && n > free {
		return layerFile{}, noSpace(j.request.Source, "unpacks to")
	}
	if err == nil { // what lies behind the compressed data is part of the blob
		_, err = io.Copy(whole.Hash(), file)
	}
	if err != nil {
		return layerFile{}, j.bad("%v", err)
	}
	l.Digest, l.diffID = whole.Digest(), unpacked.Digest()
	return l, nil
}

func (j *job) describeUnpacked(ctx context.Context, r io.Reader, packed int64) (layerFile, error) {
	file, err := j.stage.keep(ctx, r, j.request.Source, func(bytes int64) error { return j.within(bytes, packed) })
	if err != nil {
		if _, ours := errors.AsType[*archiveError](err); !ours {
			err = j.bad("%v", err)
		}
		return layerFile{}, err
	}
	return j.describe(ctx, file) // the file is closed when the process ends
}

func (j *job) importBundle(l layerFile, config v1.ImageConfig, when time.Time) (*bundle, error) {
	o := j.request.Import
	comment := o.Message
	if comment == "" {
		comment = "imported from tarball"
	}
	image := v1.Image{
		Created:  &when,
		Platform: v1.Platform{Architecture: o.Arch, OS: o.OS, Variant: o.Variant},
		Config:   config,
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{l.diffID}},
		History: []v1.History{{
			Created: &when, CreatedBy: fmt.Sprintf("/bin/sh -c #(nop) ADD file:%s in /", l.diffID.Encoded()), Comment: comment,
		}},
	}
	if image.Architecture == "" {
		image.Architecture = runtime.GOARCH
	}
	if image.OS == "" {
		image.OS = runtime.GOOS
	}
	b, err := newBundle(image, l)
	if err != nil {
		return nil, err
	}
	b.transport = tarball.Transport.Name()
	if o.Name != "" {
		b.names = []string{o.Name}
	}
	return b, nil
}

// newBundle makes an OCI image of a config and one layer.
func newBundle(image v1.Image, l layerFile) (*bundle, error) {
	config, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	b := &bundle{
		config: digest.FromBytes(config), mediaType: v1.MediaTypeImageManifest, layers: []digest.Digest{l.Digest},
	}
	b.blobs = map[digest.Digest]blob{b.config: memory(config), l.Digest: l.blob}
	b.manifest, err = json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: b.mediaType,
		Config:    v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: b.config, Size: int64(len(config))},
		Layers:    []v1.Descriptor{l.Descriptor},
	})
	return b, err
}

// single is an archive that is one file, whatever it is called.
type single struct{ file *os.File }

func (s single) open(string) (io.ReadCloser, int64, error) {
	info, err := s.file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return section{io.NewSectionReader(s.file, 0, info.Size())}, info.Size(), nil
}

func (s single) close() error { return s.file.Close() }

// section is a part of a file; it can seek, and closing it leaves the file open.
type section struct{ *io.SectionReader }

// Close does nothing.
func (section) Close() error { return nil }
