package layers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"go.podman.io/storage"

	"hull.dev/hull/pkg/failpoint"
)

// Keeper is the id of the record in the store by which every engine sees that containers of hull's are made from the
// image: one for all of them. It is a container of the store with an empty layer, which nobody mounts.
func Keeper(imageID string) string {
	sum := sha256.Sum256([]byte("hull keeps image " + imageID))
	return hex.EncodeToString(sum[:])
}

// Kept reports whether the image has its keeper.
func (s *Store) Kept(ctx context.Context, imageID string) (bool, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return false, err
	}
	_, err = store.Container(Keeper(imageID))
	if errors.Is(err, storage.ErrContainerUnknown) {
		return false, nil
	}
	return err == nil, wrap(err, "keep image %q", short(imageID))
}

// Keep makes the image's keeper, if it is not there. The caller holds its own lock of the image, from the row of the
// container on which it is for, so that no Release comes between. ErrNotFound when the image is gone.
func (s *Store) Keep(ctx context.Context, imageID string) error {
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	id := Keeper(imageID)
	if kept, err := s.Kept(ctx, imageID); kept || err != nil {
		return err
	}
	meta, err := json.Marshal(metadata{Hull: &marker{Version: 1, Keeps: true}})
	if err != nil {
		return err
	}
	o := &storage.ContainerOptions{IDMappingOptions: (&CreateOptions{}).mapping(), Flags: map[string]any{}}
	failpoint.Hit("layers/keep")
	_, err = store.CreateContainer(id, nil, imageID, LayerID(id), string(meta), o)
	if errors.Is(err, storage.ErrDuplicateID) { // what a kill between layer and record left
		if err := s.deleteInStore(store, id); err != nil {
			return err
		}
		_, err = store.CreateContainer(id, nil, imageID, LayerID(id), string(meta), o)
	}
	failpoint.Hit("layers/kept")
	return wrap(err, "keep image %q", short(imageID))
}

// Release removes the image's keeper. The caller holds its lock of the image, and no container is left that is made from it.
func (s *Store) Release(ctx context.Context, imageID string) error {
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	return wrap(s.deleteInStore(store, Keeper(imageID)), "release image %q", short(imageID))
}

// deleteInStore removes a record and its layer, each of which may be gone.
func (s *Store) deleteInStore(store storage.Store, id string) error {
	err := store.DeleteContainer(id)
	if errors.Is(err, storage.ErrNotAContainer) || errors.Is(err, storage.ErrContainerUnknown) {
		err = store.DeleteLayer(LayerID(id))
		if errors.Is(err, storage.ErrLayerUnknown) || errors.Is(err, storage.ErrNotALayer) {
			err = nil
		}
	}
	return err
}
