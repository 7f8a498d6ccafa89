package layers

import (
	"context"
	"errors"

	"go.podman.io/storage"
)

// MountImage mounts the image's root file system read only and returns where. Mounts are counted, as those of containers
// are, and made in the mount namespace of the caller. ErrNotFound when there is no such image.
func (s *Store) MountImage(ctx context.Context, id string) (string, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return "", err
	}
	path, err := store.MountImage(id, nil, "")
	return path, wrap(err, "mount image %q", short(id))
}

// UnmountImage takes one mount of the image back, or all of them with force. One that is not mounted is fine.
func (s *Store) UnmountImage(ctx context.Context, id string, force bool) error {
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	_, err = store.UnmountImage(id, force)
	if errors.Is(err, storage.ErrLayerNotMounted) {
		return nil
	}
	return wrap(err, "unmount image %q", short(id))
}

// ImageMount is where the image is mounted, or "".
func (s *Store) ImageMount(ctx context.Context, img Image) (string, error) {
	store, err := s.opened(ctx)
	if err != nil || img.TopLayer == "" {
		return "", err
	}
	for _, id := range append([]string{img.TopLayer}, img.MappedLayers...) {
		n, err := store.Mounted(id)
		if errors.Is(err, storage.ErrLayerUnknown) || err == nil && n == 0 {
			continue // of a read-only store, from which nothing is mounted, or not mounted
		}
		if err != nil {
			return "", wrap(err, "look at mounts of image %q", short(img.ID))
		}
		layer, err := store.Layer(id)
		if err != nil {
			return "", wrap(err, "look at mounts of image %q", short(img.ID))
		}
		return layer.MountPoint, nil
	}
	return "", nil
}
