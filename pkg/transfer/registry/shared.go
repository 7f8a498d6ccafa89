package registry

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/types"
)

// shared is an opened image that is read twice: by what fetches layers ahead, and then by the library. Manifests and small
// blobs come from the registry once.
type shared struct {
	types.ImageReference
	source *sharedSource
}

// NewImageSource gives the source out. Its Close does nothing: who opened it closes it.
func (s shared) NewImageSource(context.Context, *types.SystemContext) (types.ImageSource, error) {
	return s.source, nil
}

type sharedSource struct {
	types.ImageSource

	mu        sync.Mutex
	manifests map[digest.Digest]sharedManifest
	blobs     map[digest.Digest][]byte
}

type sharedManifest struct {
	data      []byte
	mediaType string
}

func newShared(src types.ImageSource) *sharedSource {
	return &sharedSource{ImageSource: src, manifests: map[digest.Digest]sharedManifest{}, blobs: map[digest.Digest][]byte{}}
}

// Close does nothing.
func (*sharedSource) Close() error { return nil }

// GetManifest is the manifest of an instance, or of the image itself for nil.
func (s *sharedSource) GetManifest(ctx context.Context, instance *digest.Digest) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var key digest.Digest
	if instance != nil {
		key = *instance
	}
	if m, ok := s.manifests[key]; ok {
		return m.data, m.mediaType, nil
	}
	data, mediaType, err := s.ImageSource.GetManifest(ctx, instance)
	if err == nil {
		s.manifests[key] = sharedManifest{data, mediaType}
	}
	return data, mediaType, err
}

// GetBlob opens a blob. A small one is kept once it was read, so that a config is fetched once.
func (s *sharedSource) GetBlob(ctx context.Context, info types.BlobInfo, cache types.BlobInfoCache) (io.ReadCloser, int64, error) {
	s.mu.Lock()
	data, ok := s.blobs[info.Digest]
	s.mu.Unlock()
	if ok {
		return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
	}
	r, size, err := s.ImageSource.GetBlob(ctx, info, cache)
	if err != nil || size < 0 || size > maxConfig || !isConfig(info.MediaType) {
		return r, size, err
	}
	data, err = io.ReadAll(io.LimitReader(r, size+1))
	_ = r.Close()
	if err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	s.blobs[info.Digest] = data
	s.mu.Unlock()
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

// isConfig reports whether a blob of this media type is an image's config.
func isConfig(mediaType string) bool {
	return strings.Contains(mediaType, "config") || strings.Contains(mediaType, "container.image")
}
