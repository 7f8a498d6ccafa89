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
// image: one for all of them. It is a container of the store without a layer (record.go).
func Keeper(imageID string) string {
	sum := sha256.Sum256([]byte("hull keeps image " + imageID))
	return hex.EncodeToString(sum[:])
}

// Kept reports whether the image has its keeper.
func (s *Store) Kept(imageID string) (bool, error) {
	r, err := s.record(Keeper(imageID))
	return r != nil, wrap(err, "keep image %q", short(imageID))
}

// Keep makes the image's keeper, if it is not there. The caller holds its own lock of the image, from the row of the
// container on which it is for, so that no Release comes between. With volatile a loss of power may take it: it is for a
// container that goes with that too. ErrNotFound when the image is gone.
func (s *Store) Keep(imageID string, volatile bool) error {
	kept, err := s.Kept(imageID)
	if kept && err == nil && !volatile {
		err = s.syncRecords() // it may have been made for one that was
	}
	if kept || err != nil {
		return wrap(err, "keep image %q", short(imageID))
	}
	meta, err := json.Marshal(metadata{Hull: &marker{Version: 1, Keeps: true}})
	if err != nil {
		return err
	}
	failpoint.Hit("layers/keep")
	err = s.addRecord(Keeper(imageID), imageID, string(meta), volatile)
	failpoint.Hit("layers/kept")
	return wrap(err, "keep image %q", short(imageID))
}

// Release removes the image's keeper. The caller holds its lock of the image, and no container is left that is made from it.
// A keeper of an older hull has a layer, which goes too.
func (s *Store) Release(ctx context.Context, imageID string) error {
	id := Keeper(imageID)
	r, err := s.record(id)
	if err == nil && r != nil && r.LayerID == "" {
		return wrap(s.removeRecord(id), "release image %q", short(imageID))
	}
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	return wrap(s.deleteInStore(store, id), "release image %q", short(imageID))
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
