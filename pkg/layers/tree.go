package layers

import (
	"context"
	"fmt"

	"go.podman.io/storage"
)

// Layer is one layer of images or of a container.
type Layer struct {
	ID     string
	Parent string
	DiffID string // digest of the uncompressed tar, or ""
	Size   int64  // bytes of that tar; -1 when the store does not know
}

// layerIndex holds all layers of the store by id.
type layerIndex map[string]*storage.Layer

func indexLayers(list []storage.Layer) layerIndex {
	index := make(layerIndex, len(list))
	for i := range list {
		index[list[i].ID] = &list[i]
	}
	return index
}

// size adds up the layer top and all below it.
func (x layerIndex) size(store storage.Store, top string) (int64, error) {
	var total int64
	for id := top; id != ""; {
		l, ok := x[id]
		if !ok {
			return 0, fmt.Errorf("layer %q: %w", short(id), classed(storage.ErrLayerUnknown))
		}
		n, err := layerSize(store, l)
		if err != nil {
			return 0, err
		}
		total += n
		id = l.Parent
	}
	return total, nil
}

// layerSize is the bytes of one layer; where that was not made from a tar they are measured on disk.
func layerSize(store storage.Store, l *storage.Layer) (int64, error) {
	if l.UncompressedDigest == "" || l.UncompressedSize < 0 {
		return store.DiffSize("", l.ID)
	}
	return l.UncompressedSize, nil
}

// Tree is the store at one moment: what lists, sizes and parents are computed from without asking again per image.
type Tree struct {
	Images     []Image
	Containers []Container

	store  storage.Store
	layers layerIndex
	order  []string       // ids of layers, as the store lists them: older ones first
	users  map[string]int // how many images' chains a layer is in
}

// Tree reads images, layers and containers under one lock each.
func (s *Store) Tree(ctx context.Context) (*Tree, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	all, err := store.MultiList(storage.MultiListOptions{Images: true, Layers: true, Containers: true})
	if err != nil {
		return nil, wrap(err, "read store")
	}
	t := &Tree{store: store, layers: indexLayers(all.Layers), users: map[string]int{}}
	for i := range all.Layers {
		t.order = append(t.order, all.Layers[i].ID)
	}
	for i := range all.Images {
		t.Images = append(t.Images, image(&all.Images[i]))
		for _, l := range t.Layers(all.Images[i].TopLayer) {
			t.users[l.ID]++
		}
	}
	for i := range all.Containers {
		t.Containers = append(t.Containers, container(&all.Containers[i]))
	}
	return t, nil
}

// Layers returns the chain from top down to the lowest. A missing layer ends it.
func (t *Tree) Layers(top string) []Layer {
	var out []Layer
	for id := top; id != ""; {
		l, ok := t.layers[id]
		if !ok {
			break
		}
		size := l.UncompressedSize
		if l.UncompressedDigest == "" {
			size = -1
		}
		out = append(out, Layer{l.ID, l.Parent, l.UncompressedDigest.String(), size})
		id = l.Parent
	}
	return out
}

// Above returns the layers whose parent is the one with this id, older ones first.
func (t *Tree) Above(id string) []Layer {
	var out []Layer
	for _, other := range t.order {
		if t.layers[other].Parent == id {
			out = append(out, t.Layers(other)[0])
		}
	}
	return out
}

// Size returns the bytes of an image's layers and blobs, and how many of them are in layers of other images too. An
// image that has lost a layer is an error that names it.
func (t *Tree) Size(img Image) (size, shared int64, err error) {
	size, err = t.layers.size(t.store, img.TopLayer)
	if err != nil {
		return 0, 0, wrap(err, "measure image %q", short(img.ID))
	}
	for _, id := range img.MappedLayers {
		if l, ok := t.layers[id]; ok {
			size += max(0, l.UncompressedSize)
		}
	}
	for _, l := range t.Layers(img.TopLayer) {
		if t.users[l.ID] > 1 {
			shared += max(0, l.Size)
		}
	}
	for _, n := range img.dataSizes {
		size += n
	}
	return size, shared, nil
}

// Total returns the bytes of all images' layers and blobs, each layer once, and how many of them only images have that are
// not in use.
func (t *Tree) Total(inUse func(imageID string) bool) (size, unused int64, err error) {
	kept := map[string]bool{} // layers by id; true: an image in use has it
	for _, img := range t.Images {
		used := inUse(img.ID)
		for _, top := range append([]string{img.TopLayer}, img.MappedLayers...) {
			for _, l := range t.Layers(top) {
				kept[l.ID] = kept[l.ID] || used
			}
		}
		for _, n := range img.dataSizes {
			size += n
			if !used {
				unused += n
			}
		}
	}
	for id, used := range kept {
		n, err := layerSize(t.store, t.layers[id])
		if err != nil {
			return 0, 0, wrap(err, "measure layer %q", short(id))
		}
		size += n
		if !used {
			unused += n
		}
	}
	return size, unused, nil
}

// UnusedLayers returns the layers that no image and no container stands on: what a killed engine left. They take disk
// and nothing else.
func (t *Tree) UnusedLayers() []string {
	used := map[string]bool{}
	mark := func(top string) {
		for _, l := range t.Layers(top) {
			used[l.ID] = true
		}
	}
	for _, i := range t.Images {
		mark(i.TopLayer)
		for _, m := range i.MappedLayers {
			mark(m)
		}
	}
	for _, c := range t.Containers {
		mark(c.LayerID)
	}
	var out []string
	for id := range t.layers {
		if !used[id] {
			out = append(out, id)
		}
	}
	return out
}

// LayerData is the driver's name and what it says of a layer: for overlay the folders UpperDir, LowerDir, WorkDir.
func (s *Store) LayerData(ctx context.Context, id string) (driver string, data map[string]string, err error) {
	store, err := s.opened(ctx)
	if err != nil || id == "" {
		return "", nil, err
	}
	d, err := store.GraphDriver()
	if err != nil {
		return "", nil, classed(err)
	}
	data, err = d.Metadata(id)
	if n, mountErr := store.Mounted(id); mountErr == nil && n == 0 {
		delete(data, "MergedDir") // names a folder that is empty then; podman leaves it out
	}
	return d.String(), data, wrap(err, "read layer %q", short(id))
}

// DeleteUnusedLayer removes a layer that UnusedLayers told of. The store refuses it (ErrConflict) when an image, container
// or layer came to stand on it meanwhile. A layer of a pull that is going on in another process looks unused until its
// image is recorded: only a repair that the user asked for may call this.
func (s *Store) DeleteUnusedLayer(ctx context.Context, id string) error {
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	return wrap(store.DeleteLayer(id), "delete layer %q", short(id))
}
