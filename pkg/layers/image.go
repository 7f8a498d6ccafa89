package layers

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.podman.io/storage"

	"hull.dev/hull/pkg/failpoint"
)

// Image is an image's record in the store. What its config says is read apart, by Config.
type Image struct {
	ID           string // 64 hexadecimal digits
	Names        []string
	NamesHistory []string // names it has or had, newest first
	Digest       string   // of the manifest, or ""
	Digests      []string // of all manifests it is known by
	TopLayer     string   // "" for an image without files
	MappedLayers []string // copies of the top layer with other ids' ownership
	Created      time.Time
	ReadOnly     bool // of an additional image store

	dataNames []string         // keys of its blobs
	dataSizes map[string]int64 // of its blobs
}

// Images returns all images, in no order.
func (s *Store) Images(ctx context.Context) ([]Image, error) {
	store, err := s.images(ctx)
	if err != nil {
		return nil, err
	}
	list, err := store.Images()
	if err != nil {
		return nil, wrap(err, "list images")
	}
	out := make([]Image, 0, len(list))
	for i := range list {
		out = append(out, image(&list[i]))
	}
	return out, nil
}

// AddNames gives an image names; an image that had one of them loses it.
func (s *Store) AddNames(ctx context.Context, id string, names ...string) error {
	return s.changeNames(ctx, id, names, storage.Store.AddNames)
}

// RemoveNames takes names from an image. The image stays, also without any name.
func (s *Store) RemoveNames(ctx context.Context, id string, names ...string) error {
	return s.changeNames(ctx, id, names, storage.Store.RemoveNames)
}

// SetNames gives an image these names and no others.
func (s *Store) SetNames(ctx context.Context, id string, names ...string) error {
	return s.changeNames(ctx, id, names, storage.Store.SetNames)
}

func (s *Store) changeNames(ctx context.Context, id string, names []string, change func(storage.Store, string, []string) error) error {
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	return wrap(change(store, id, names), "change names of image %q", short(id))
}

// DeleteImage removes the image with this id and those of its layers that no other image and no container uses, whatever
// names it has, and returns the removed layers. ErrConflict when a container of any engine uses it; ErrNotFound when it
// is gone; ErrFailedPrecondition when it is of a read-only store.
func (s *Store) DeleteImage(ctx context.Context, id string) ([]string, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("layers/delete-image")
	gone, err := store.DeleteImage(id, true)
	if errors.Is(err, storage.ErrLayerUnknown) {
		// Of an image with names of one's own whose layers are in a read-only store, the record is all there is.
		if left, lookErr := lookup(store, id); lookErr == nil && (left == nil || left.ReadOnly) {
			return nil, nil
		}
	}
	return gone, wrap(err, "delete image %q", short(id))
}

// Users returns the containers of other engines that are made from the image.
func (s *Store) Users(ctx context.Context, imageID string) ([]Container, error) {
	all, err := s.Containers(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Container) bool { return c.Ours || c.ImageID != imageID }), nil
}

func image(i *storage.Image) Image {
	out := Image{
		ID: i.ID, Names: i.Names, NamesHistory: i.NamesHistory, Digest: i.Digest.String(),
		TopLayer: i.TopLayer, MappedLayers: i.MappedTopLayers, Created: i.Created, ReadOnly: i.ReadOnly,
		dataNames: i.BigDataNames, dataSizes: i.BigDataSizes,
	}
	for _, d := range i.Digests {
		out.Digests = append(out.Digests, d.String())
	}
	return out
}
