// Package layers is the only door to go.podman.io/storage: images, their layers, and the writable layers of containers.
// The store lies where storage.conf says and is shared with podman, buildah and skopeo, so three rules hold.
//
// First, what is not ours is not touched: a container record of hull's carries metadata with the key "hull" (see
// metadata); all others belong to somebody else and are counted only where an image's being in use is asked.
//
// Second, hull's containers have no name in the store. Names there are unique over all engines, and hull's own state
// keeps the names of its containers; a podman container called "web" does not keep hull from having one.
//
// Third, the id of a container's layer follows from the container's id (LayerID). A process that is killed between
// making the layer and recording it leaves something that Delete finds by the container's id alone.
//
// The storage library keeps a lock per kind of object, held for one call each, and re-reads its JSON files when another
// process wrote them. Each method here is one or two such calls; the hot path (Create, Mount, Unmount, Delete) is
// measured by BenchmarkLifecycle.
//
// The library re-executes the program for work that needs a chroot: main must begin with "if layers.Reexec() { return }".
// Its cgo constructor does nothing unless _Containers-unshare is set. Whether the user is rootless it learns from the C
// environment: _CONTAINERS_USERNS_CONFIGURED and _CONTAINERS_ROOTLESS_UID, which pkg/rootless sets before Go starts.
package layers

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/reexec"
	"go.podman.io/storage/types"
)

// Options say where the store is; an empty field leaves storage.conf's value (containers-storage.conf(5)), or the user's
// default, in place.
type Options struct {
	Root          string
	RunRoot       string
	Driver        string
	DriverOptions []string // KEY=VALUE; added to storage.conf's, as podman's --storage-opt
	ImageStore    string   // folder of an image store apart from Root, --imagestore
}

// Store is the store of one user. The zero value is not usable; Open makes one.
type Store struct {
	options types.StoreOptions
	open    func() (storage.Store, error)
	seen    struct { // what catalog has read last
		sync.Mutex
		catalog *catalog
		info    os.FileInfo
	}
}

// Open reads storage.conf and checks o, but does not touch the disk otherwise: the store is opened by the first method
// that needs it, so that a command which turns out not to need it does not pay for it.
func Open(o Options) (*Store, error) {
	options, err := types.DefaultStoreOptions()
	if err != nil {
		return nil, fmt.Errorf("read storage.conf: %w", err)
	}
	if err := userRoots(&options); err != nil {
		return nil, fmt.Errorf("find the user's folders: %w", err)
	}
	options.GraphDriverOptions = append([]string(nil), options.GraphDriverOptions...)
	if o.Root != "" {
		// The options in storage.conf are for the driver and the place in it; another place has its own.
		options.GraphRoot = o.Root
	}
	if o.RunRoot != "" {
		options.RunRoot = o.RunRoot
	}
	if o.Driver != "" && o.Driver != options.GraphDriverName {
		options.GraphDriverName, options.GraphDriverOptions = o.Driver, nil
	}
	if o.ImageStore != "" {
		options.ImageStore = o.ImageStore
	}
	for _, opt := range o.DriverOptions {
		if !strings.Contains(opt, "=") {
			return nil, invalid("storage option %q: write it KEY=VALUE", opt)
		}
		options.GraphDriverOptions = append(options.GraphDriverOptions, opt)
	}
	if options.GraphDriverName == "" {
		options.GraphDriverName = prior(options.GraphRoot)
	}
	s := &Store{options: options}
	s.open = sync.OnceValues(func() (storage.Store, error) {
		quiet()
		if err := s.tendLinks(); err != nil {
			return nil, fmt.Errorf("open store %q: %w", options.GraphRoot, err)
		}
		store, err := storage.GetStore(options)
		if err != nil {
			return nil, fmt.Errorf("open store %q: %w", options.GraphRoot, classed(err))
		}
		return store, nil
	})
	return s, nil
}

// Prepare opens a store that is there, if images cannot be looked up without, while the caller does something else; an error
// comes back at the first use.
func (s *Store) Prepare() {
	if c, err := s.catalog(); c != nil || err != nil {
		return
	}
	if _, err := os.Stat(s.options.GraphRoot); err == nil {
		go func() { _, _ = s.open() }()
	}
}

// Reexec does the work of a re-executed child of the storage library and reports whether this process was one: main
// then returns at once.
func Reexec() bool { return reexec.Init() }

// GraphRoot is the folder of images and layers. It does not open the store.
func (s *Store) GraphRoot() string { return s.options.GraphRoot }

// RunRoot is the folder of mounts and locks, which a reboot empties. It does not open the store.
func (s *Store) RunRoot() string { return s.options.RunRoot }

// ImageStore is the separate folder of images, or "".
func (s *Store) ImageStore() string { return s.options.ImageStore }

// DriverOptions are the driver's options as they will be given to it.
func (s *Store) DriverOptions() []string { return s.options.GraphDriverOptions }

// Transient reports whether storage.conf says that containers are forgotten at a reboot.
func (s *Store) Transient() bool { return s.options.TransientStore }

// Driver is the name of the storage driver: overlay, vfs … When nothing fixes it the store has to be opened to know.
func (s *Store) Driver() (string, error) {
	if s.options.GraphDriverName != "" {
		return s.options.GraphDriverName, nil
	}
	store, err := s.open()
	if err != nil {
		return "", err
	}
	return store.GraphDriverName(), nil
}

// Status is what the driver says of itself ("Backing Filesystem", "Native Overlay Diff" …), in its order, for hull info.
func (s *Store) Status() ([][2]string, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	status, err := store.Status()
	return status, classed(err)
}

// quiet keeps the library from writing to the standard error of a command: what matters comes back as an error.
func quiet() {
	if logrus.GetLevel() == logrus.InfoLevel { // its default: nobody asked for a level
		logrus.SetLevel(logrus.ErrorLevel)
	}
}

// Raw is the library's own store, for pkg/transfer/registry alone: go.podman.io/image writes images into it.
func (s *Store) Raw() (storage.Store, error) { return s.open() }

// FixedDriver is the driver that storage.conf, the options or what is there name, or "" when the store finds one by itself.
func (s *Store) FixedDriver() string { return s.options.GraphDriverName }
