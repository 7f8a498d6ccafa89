package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"go.podman.io/image/v5/docker/archive"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/pkg/compression"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer"
	"hull.dev/hull/pkg/transfer/layer"
)

// load puts all images of an archive into the store: docker save's, an OCI layout in a tar, or one in a folder; the tar
// may be compressed with gzip, bzip2, xz or zstd.
func (j *job) load(ctx context.Context) (_ transfer.Result, err error) {
	f, err := j.open(ctx)
	if err != nil {
		return transfer.Result{}, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	failpoint.Hit("load/staged")
	bundles, err := j.bundles(f)
	if err != nil {
		return transfer.Result{}, err
	}
	if len(bundles) == 0 {
		return transfer.Result{}, j.bad("there is no image in it")
	}
	names := 0
	for _, b := range bundles {
		names += len(b.names)
	}
	if names > maxNames {
		return transfer.Result{}, j.bad("it has %d names for images, and %d are the most", names, maxNames)
	}
	return j.put(ctx, bundles)
}

// bundles finds out what the archive is. An archive of docker save may be an OCI layout too, since Docker 25; it is read
// as what it has been for longer, because that names the images as the user knows them.
func (j *job) bundles(f files) ([]*bundle, error) {
	layoutTransport := ociarchive.Transport.Name()
	if _, folder := f.(dirFiles); folder {
		layoutTransport = layout.Transport.Name()
	}
	for _, kind := range []struct {
		name, transport string
		read            func(files) ([]*bundle, error)
	}{{"manifest.json", archive.Transport.Name(), j.dockerBundles}, {"index.json", layoutTransport, j.ociBundles}} {
		if !has(f, kind.name) {
			continue
		}
		bundles, err := kind.read(f)
		for _, b := range bundles {
			b.transport = kind.transport
		}
		return bundles, err
	}
	return nil, errs.WithHint(j.bad("it has no images: neither manifest.json (docker save) nor index.json (OCI) is in it"),
		"hull import makes an image of a root file system's tar")
}

func has(f files, name string) bool {
	r, _, err := f.open(name)
	if err != nil {
		return false
	}
	_ = r.Close()
	return true
}

// open opens the archive for reading at any place; what cannot be read so, a pipe or a compressed file, is staged.
func (j *job) open(ctx context.Context) (files, error) {
	file, info, err := j.input()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		_ = file.Close()
		root, err := os.OpenRoot(j.request.Path)
		if err != nil {
			return nil, err
		}
		return dirFiles{root}, nil
	}
	if file, err = j.seekable(ctx, file, info, true); err != nil {
		return nil, err
	}
	t, err := indexTar(file)
	if err != nil {
		return nil, j.bad("%v", err)
	}
	return t, nil
}

func (j *job) input() (*os.File, os.FileInfo, error) {
	file := os.Stdin
	if j.request.Path != "" {
		var err error
		if file, err = os.Open(j.request.Path); err != nil {
			return nil, nil, err
		}
	}
	info, err := file.Stat()
	return file, info, err
}

// seekable returns file, or a staged copy when it cannot be read at any place or, with unpack, is compressed. It closes
// file when it returns another.
func (j *job) seekable(ctx context.Context, file *os.File, info os.FileInfo, unpack bool) (*os.File, error) {
	regular := info.Mode().IsRegular()
	if regular && info.Size() == 0 {
		return nil, j.bad("it is empty")
	}
	packed := &counted{r: file}
	algorithm, decompress, r, err := compression.DetectCompressionFormat(packed)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, j.bad("it is empty")
		}
		return nil, j.bad("%v", err)
	}
	if regular && (decompress == nil || !unpack) {
		_, err := file.Seek(0, io.SeekStart)
		return file, err
	}
	if decompress != nil && unpack {
		size := int64(-1)
		if regular {
			size = info.Size()
		}
		plain, err := decompressed(ctx, algorithm, decompress, r, size)
		if err != nil {
			return nil, j.bad("%v", err)
		}
		defer plain.Close()
		r = plain
	}
	copied, err := j.stage.keep(ctx, r, j.request.Source, func(bytes int64) error { return j.within(bytes, packed.n.Load()) })
	if err == nil {
		if info, statErr := copied.Stat(); statErr == nil && info.Size() == 0 {
			err = errors.Join(j.bad("it is empty"), copied.Close())
		}
	}
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = j.bad("%v", errTruncated)
		} else if _, ours := errors.AsType[*archiveError](err); !ours && ctx.Err() == nil {
			err = j.bad("%v", err)
		}
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("close %q: %w", j.request.Source, err)
	}
	return copied, nil
}

// decompressed is what was packed by an algorithm into r, which has size bytes, less than 0 when that is not known.
func decompressed(ctx context.Context, algorithm compression.Algorithm, decompress compression.DecompressorFunc, r io.Reader, size int64) (io.ReadCloser, error) {
	if algorithm.Name() == compression.Gzip.Name() {
		return layer.Gunzip(ctx, r, size)
	}
	return decompress(r)
}

// within is an error when more bytes came of the archive than may of so many packed ones.
func (j *job) within(bytes, packed int64) error {
	if err := unpacked(fmt.Sprintf("archive %q", j.request.Source), bytes, packed); err != nil {
		return &archiveError{err}
	}
	return nil
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
