package registry

import (
	"bytes"
	"io"

	"github.com/opencontainers/go-digest"
)

// Limits, in bytes; those of go.podman.io/image.
const (
	maxManifest = 4 << 20
	maxConfig   = 4 << 20
	maxIndex    = 1 << 20
)

// maxNames bounds the names of an archive's images: the time that the store takes grows with their square, half a minute for
// five thousand.
const maxNames = 2000

// bundle is one image, ready for the store, wherever it came from.
type bundle struct {
	manifest  []byte
	mediaType string
	config    digest.Digest
	blobs     map[digest.Digest]blob
	layers    []digest.Digest // keys of blobs, lowest first
	names     []string        // normalized, with tags
	// transport is the one of containers-transports(5) that policy.json knows it by; "" is hull's own image, which none is about.
	transport string
}

// id is the image's id in the store.
func (b *bundle) id() string { return b.config.Encoded() }

// size is that of its layers as they are, in bytes.
func (b *bundle) size() int64 {
	total := int64(0)
	for _, d := range b.layers {
		total += b.blobs[d].size
	}
	return total
}

// blob is a layer or config.
type blob struct {
	size int64
	open func() (io.ReadCloser, error)
}

func memory(data []byte) blob {
	return blob{int64(len(data)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

func in(f files, name string, size int64) blob {
	return blob{size, func() (io.ReadCloser, error) {
		r, _, err := f.open(name)
		return r, err
	}}
}
