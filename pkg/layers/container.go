package layers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/idtools"
	"go.podman.io/storage/types"

	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/reference"
)

// IDRange is one line of a map of ids (user_namespaces(7)).
type IDRange struct {
	ContainerID int
	HostID      int // as seen in the user namespace of the engine
	Size        int
}

// IDMap says as whom a container's user namespace sees the ids of the engine's.
type IDMap struct {
	UIDs []IDRange
	GIDs []IDRange
}

// AutoIDs asks for a part of the engine's ids that no other container has (--userns=auto).
type AutoIDs struct {
	Size        uint32 // 0: as many as the image's files and users need
	InitialSize uint32 // at least so many; 0: the library's default
	UIDs, GIDs  []IDRange
}

// CreateOptions is a container's layer to be made.
type CreateOptions struct {
	ID      string // 64 hexadecimal digits
	ImageID string // "" makes an empty layer
	IDMap   *IDMap // nil: the ids of the engine's user namespace
	Auto    *AutoIDs

	// Volatile is for a container that is not to outlive its process: the kernel does not sync what it writes (overlayfs
	// "volatile"). The library's own option of that name would also put the record into a file that podman before 4.4
	// does not read, so that its rmi would take the layers from under the container; that saved 0.5 ms of 6.
	Volatile bool

	LabelOptions []string          // SELinux, "TYPE:VALUE"; empty without SELinux
	StorageOpt   map[string]string // the driver's, as --storage-opt size=1G
	MountOptions []string          // besides storage.conf's
}

// Container is a container's record in the store. One with a layer of its own has no record, and no LayerID.
type Container struct {
	ID           string
	Names        []string // none with hull's
	ImageID      string
	LayerID      string
	MountLabel   string
	ProcessLabel string
	Created      time.Time
	IDMap        *IDMap
	Ours         bool // made by hull
	Keeps        bool // made by hull, to keep the image for all of its containers
}

// metadata is what hull writes in a container record's metadata. The field Hull marks the record as hull's; podman's has
// "image-name" and the like instead, buildah's is empty. MountLabel is where podman's older versions look for it.
type metadata struct {
	Hull       *marker `json:"hull"`
	MountLabel string  `json:"mountlabel,omitempty"`
}

type marker struct {
	Version int  `json:"version"` // 1
	Keeps   bool `json:"keeps,omitempty"`
}

// LayerID is the id of the layer of the container with this id.
func LayerID(containerID string) string {
	sum := sha256.Sum256([]byte("hull layer of " + containerID))
	return hex.EncodeToString(sum[:])
}

// CreateContainer makes a writable layer on top of an image, and keeps the image. Errors: ErrNotFound for the image,
// ErrAlreadyExists for the id. A process that dies in it leaves what Delete removes, and a keeper.
func (s *Store) CreateContainer(ctx context.Context, o CreateOptions) (Container, error) {
	return withLinks(s, func() (Container, error) { return s.createContainer(ctx, o) })
}

func (s *Store) createContainer(ctx context.Context, o CreateOptions) (Container, error) {
	if !reference.IsID(o.ID) { // the library would take a prefix or name of another container for it later
		return Container{}, invalid("container id %q is not 64 hexadecimal digits", o.ID)
	}
	if own, err := s.createOwn(ctx, &o); own || err != nil {
		return Container{ID: o.ID, ImageID: o.ImageID, Ours: true}, wrap(err, "make layer of container %q", short(o.ID))
	}
	store, err := s.opened(ctx)
	if err != nil {
		return Container{}, err
	}
	meta, err := json.Marshal(metadata{Hull: &marker{Version: 1}})
	if err != nil {
		return Container{}, err
	}
	options := &storage.ContainerOptions{
		IDMappingOptions: o.mapping(), LabelOpts: o.LabelOptions, MountOpts: o.MountOptions,
		StorageOpt: o.StorageOpt, Flags: map[string]any{},
	}
	if len(o.MountOptions) > 0 {
		options.Flags["MountOpts"] = o.MountOptions
	}
	if o.Volatile {
		options.Flags["Volatile"] = true
	}
	failpoint.Hit("layers/create")
	c, err := store.CreateContainer(o.ID, nil, o.ImageID, LayerID(o.ID), string(meta), options)
	if err != nil {
		return Container{}, wrap(err, "make layer of container %q", short(o.ID))
	}
	failpoint.Hit("layers/created")
	return container(c), nil
}

func (o *CreateOptions) mapping() types.IDMappingOptions {
	if o.Auto != nil {
		return types.IDMappingOptions{AutoUserNs: true, AutoUserNsOpts: types.AutoUserNsOptions{
			Size: o.Auto.Size, InitialSize: o.Auto.InitialSize,
			AdditionalUIDMappings: toStorage(o.Auto.UIDs), AdditionalGIDMappings: toStorage(o.Auto.GIDs),
		}}
	}
	if o.IDMap == nil {
		return types.IDMappingOptions{HostUIDMapping: true, HostGIDMapping: true}
	}
	return types.IDMappingOptions{UIDMap: toStorage(o.IDMap.UIDs), GIDMap: toStorage(o.IDMap.GIDs)}
}

// Mount mounts the container's root file system, if it is not mounted, and returns where. The mount is made in the mount
// namespace of the caller.
func (s *Store) Mount(ctx context.Context, id string) (string, error) {
	return withLinks(s, func() (string, error) { return s.mount(ctx, id) })
}

func (s *Store) mount(ctx context.Context, id string) (string, error) {
	if s.isOwn(id) {
		return s.mountOwn(id)
	}
	store, err := s.opened(ctx)
	if err != nil {
		return "", err
	}
	path, err := store.Mount(id, "")
	return path, wrap(err, "mount container %q", short(id))
}

// Unmount unmounts the container, however often it was mounted. One that is not mounted or not there is fine.
func (s *Store) Unmount(ctx context.Context, id string) error {
	if s.isOwn(id) {
		return s.unmountOwn(id)
	}
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	// By the layer's id, which is known: the record need not be read for it.
	_, err = store.Unmount(LayerID(id), true)
	if errors.Is(err, storage.ErrLayerUnknown) || errors.Is(err, storage.ErrLayerNotMounted) {
		return nil
	}
	return wrap(err, "unmount container %q", short(id))
}

// Mounted reports whether the container is mounted, as the store has it.
func (s *Store) Mounted(ctx context.Context, id string) (bool, error) {
	if s.isOwn(id) {
		dir := s.ownDir(id)
		return mounted(dir, filepath.Join(dir, "merged")), nil
	}
	store, err := s.opened(ctx)
	if err != nil {
		return false, err
	}
	n, err := store.Mounted(LayerID(id))
	return n > 0, wrap(err, "look at mounts of container %q", short(id))
}

// Delete removes the container's layer, unmounting it first. What is gone already is fine: also a record without a layer
// and a layer without a record.
func (s *Store) Delete(ctx context.Context, id string) error {
	if !reference.IsID(id) {
		return invalid("container id %q is not 64 hexadecimal digits", id)
	}
	if err := os.RemoveAll(filepath.Join(s.Gone(), id)); err != nil {
		return err
	}
	if s.isOwn(id) {
		return s.deleteOwn(id, os.RemoveAll)
	}
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	return wrap(s.deleteInStore(store, id), "delete layer of container %q", short(id))
}

// Container returns the record of a container of hull's or of another engine; ErrNotFound when there is none.
func (s *Store) Container(ctx context.Context, id string) (Container, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return Container{}, err
	}
	c, err := store.Container(id)
	if err != nil {
		return Container{}, wrap(err, "read container %q", short(id))
	}
	return container(c), nil
}

// Containers returns all records, hull's and others'; Ours tells them apart.
func (s *Store) Containers(ctx context.Context) ([]Container, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	list, err := store.Containers()
	if err != nil {
		return nil, wrap(err, "list containers of the store")
	}
	out := make([]Container, 0, len(list))
	for i := range list {
		out = append(out, container(&list[i]))
	}
	return out, nil
}

// Size returns the bytes of the container's own layer and of its whole root file system (podman ps --size).
func (s *Store) Size(ctx context.Context, id string) (rw, rootfs int64, err error) {
	store, err := s.opened(ctx)
	if err != nil {
		return 0, 0, err
	}
	if s.isOwn(id) {
		rw, rootfs, err = s.sizeOwn(store, id)
		return rw, rootfs, wrap(err, "measure container %q", short(id))
	}
	layerID := LayerID(id)
	rw, err = store.DiffSize("", layerID)
	if err != nil {
		return 0, 0, wrap(err, "measure container %q", short(id))
	}
	layers, err := store.Layers()
	if err != nil {
		return 0, 0, wrap(err, "measure container %q", short(id))
	}
	chain := indexLayers(layers)
	rootfs = rw
	if top, ok := chain[layerID]; ok {
		below, err := chain.size(store, top.Parent)
		if err != nil {
			return 0, 0, wrap(err, "measure container %q", short(id))
		}
		rootfs += below
	}
	return rw, rootfs, nil
}

func container(c *storage.Container) Container {
	out := Container{
		ID: c.ID, Names: c.Names, ImageID: c.ImageID, LayerID: c.LayerID,
		MountLabel: c.MountLabel(), ProcessLabel: c.ProcessLabel(), Created: c.Created,
	}
	if len(c.UIDMap) > 0 || len(c.GIDMap) > 0 {
		out.IDMap = &IDMap{fromStorage(c.UIDMap), fromStorage(c.GIDMap)}
	}
	var meta metadata
	if json.Unmarshal([]byte(c.Metadata), &meta) == nil && meta.Hull != nil {
		out.Ours, out.Keeps = true, meta.Hull.Keeps
	}
	return out
}

func toStorage(in []IDRange) []idtools.IDMap {
	out := make([]idtools.IDMap, 0, len(in))
	for _, r := range in {
		out = append(out, idtools.IDMap{ContainerID: r.ContainerID, HostID: r.HostID, Size: r.Size})
	}
	return out
}

func fromStorage(in []idtools.IDMap) []IDRange {
	out := make([]IDRange, 0, len(in))
	for _, r := range in {
		out = append(out, IDRange{ContainerID: r.ContainerID, HostID: r.HostID, Size: r.Size})
	}
	return out
}
