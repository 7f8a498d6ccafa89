package layers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/directory"
	"go.podman.io/storage/pkg/unshare"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/mountin"
	"hull.dev/hull/pkg/reference"
	"hull.dev/hull/pkg/spread"
)

// A container's own layer is one that hull keeps beside the storage library, where overlay needs no more than a mount:
//
//	GRAPHROOT/hull/layers/CONTAINER/lower     the folders below it, as overlay's own "lower" of a layer: l/SHORT:l/SHORT…, or a path
//	                               /volatile  empty; there when the kernel need not sync what the container writes
//	                               /diff      what the container writes
//	                               /work      overlayfs' own
//	                               /merged    the mount
//
// The library would write layers.json five times, mountpoints.json five times and containers.json twice in the life of a
// container, each under a lock of the whole store and most of them synced (docs/design/0008). The folder is made and
// removed by its container's id alone, so that a process which dies in it leaves what Delete removes. "lower" is written
// last: without it there is no layer yet.
//
// What the library has to know is that the image is in use: keep.go.
const (
	lowerFile    = "lower"
	volatileFile = "volatile"
)

func (s *Store) ownDir(id string) string {
	return filepath.Join(s.options.GraphRoot, "hull", "layers", id)
}

// isOwn reports whether the container's layer is hull's own, or the rest of such a one.
func (s *Store) isOwn(id string) bool {
	_, err := os.Lstat(s.ownDir(id))
	return reference.IsID(id) && err == nil
}

// OwnLayers returns the ids of the containers that have a layer of their own, in no order; whole says of each whether
// its image is still below it.
func (s *Store) OwnLayers() (whole map[string]bool, err error) {
	entries, err := os.ReadDir(s.ownDir(""))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole = map[string]bool{}
	for _, e := range entries {
		if !reference.IsID(e.Name()) {
			continue
		}
		below, err := s.lowers(e.Name())
		for i := 0; err == nil && i < len(below); i++ {
			_, err = os.Stat(below[i])
		}
		whole[e.Name()] = err == nil
	}
	return whole, nil
}

// canOwn reports whether a mount of overlay without more ado is what the library would make of the container's layer. Where
// storage.conf has options, ids are mapped, or labels are wanted, the library does it.
func (s *Store) canOwn(o *CreateOptions) (bool, error) {
	if o.ImageID == "" || o.IDMap != nil || o.Auto != nil || len(o.StorageOpt)+len(o.MountOptions)+len(o.LabelOptions) > 0 {
		return false, nil
	}
	have := &s.options
	if len(have.GraphDriverOptions)+len(have.UIDMap)+len(have.GIDMap) > 0 || have.ImageStore != "" || have.TransientStore || have.DisableVolatile {
		return false, nil
	}
	driver, err := s.Driver()
	return driver == "overlay" && !selinux(), err
}

// createOwn keeps the image and makes the container's own layer, where it may have one.
func (s *Store) createOwn(ctx context.Context, o *CreateOptions) (bool, error) {
	if !reference.IsID(o.ID) {
		return false, nil
	}
	if can, err := s.canOwn(o); !can || err != nil {
		return false, err
	}
	if s.isOwn(o.ID) {
		return false, errs.Exists("it is there")
	}
	store, err := s.images(ctx)
	if err != nil {
		return false, err
	}
	image, err := store.Image(o.ImageID)
	if err != nil {
		return false, err
	}
	if image.TopLayer == "" { // it has no files
		return false, nil
	}
	if err := s.Keep(image.ID, o.Volatile); err != nil {
		return false, err
	}
	return s.makeOwn(o.ID, image.TopLayer, o.Volatile)
}

// CheckOver is the error when no layer can lie above a folder.
func CheckOver(dir string) error {
	if strings.ContainsAny(dir, `:,\`) || strings.TrimSpace(dir) != dir { // overlayfs takes them for its own
		return invalid("%q cannot lie below an overlay: its path has a colon, comma, backslash or space", dir)
	}
	return nil
}

// CreateOver makes an empty layer of the container's above a folder that is no image, in place of the one that is there.
func (s *Store) CreateOver(id, dir string) error {
	if err := CheckOver(dir); err != nil {
		return err
	}
	if err := s.deleteOwn(id, os.RemoveAll); err != nil {
		return err
	}
	can, err := s.makeAbove(id, dir, true)
	if err == nil && !can {
		err = invalid("its path is too long for a mount")
	}
	return wrap(err, "make a layer above %q", dir)
}

// selinux reports whether the kernel labels files (selinux(8)).
func selinux() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

// makeOwn makes the layer above the image's. It reports whether it could: a chain of layers that is too long for the options
// of one mount is the library's.
func (s *Store) makeOwn(id, top string, volatile bool) (bool, error) {
	lower, err := s.chain(top)
	if err != nil {
		return false, err
	}
	return s.makeAbove(id, lower, volatile)
}

// makeAbove makes a layer above what stands in the file "lower".
func (s *Store) makeAbove(id, lower string, volatile bool) (bool, error) {
	below := lowersOf(s.overlayHome(), lower)
	root, err := os.Stat(below[0])
	if err != nil {
		return false, err
	}
	dir := s.ownDir(id)
	if len(overlayOptions(dir+"/", below, volatile)) >= os.Getpagesize() {
		return false, nil
	}
	if err := spread.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	failpoint.Hit("layers/own")
	for _, name := range []string{"work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return false, err
		}
	}
	// The container's root folder is as the image's.
	diff := filepath.Join(dir, "diff")
	if err := os.Mkdir(diff, 0o700); err != nil {
		return false, err
	}
	if err := os.Chmod(diff, root.Mode()); err != nil {
		return false, err
	}
	if volatile {
		if err := os.WriteFile(filepath.Join(dir, volatileFile), nil, 0o600); err != nil { //nolint:forbidigo // empty, and before "lower"
			return false, err
		}
	}
	return true, os.WriteFile(filepath.Join(dir, lowerFile), []byte(lower), 0o600) //nolint:forbidigo // a create that ends here is undone
}

// chain is what the library writes in the file "lower" of a layer above this one: its own link and its own "lower".
func (s *Store) chain(layer string) (string, error) {
	dir := filepath.Join(s.overlayHome(), layer)
	link, err := os.ReadFile(filepath.Join(dir, "link"))
	if err != nil {
		return "", err
	}
	lower := "l/" + strings.TrimSpace(string(link))
	below, err := os.ReadFile(filepath.Join(dir, lowerFile))
	if errors.Is(err, os.ErrNotExist) { // the lowest
		return lower, nil
	}
	return lower + ":" + strings.TrimSpace(string(below)), err
}

func (s *Store) overlayHome() string { return filepath.Join(s.options.GraphRoot, "overlay") }

// lowersOf makes paths of what a file "lower" of a layer holds; home is the overlay driver's folder.
func lowersOf(home, lower string) []string {
	lower = strings.TrimSpace(lower)
	if lower == "" {
		return nil
	}
	below := strings.Split(lower, ":")
	for i := range below {
		if !filepath.IsAbs(below[i]) {
			below[i] = filepath.Join(home, below[i])
		}
	}
	return below
}

// lowers are the folders below a container's own layer, the nearest first.
func (s *Store) lowers(id string) ([]string, error) {
	lower, err := os.ReadFile(filepath.Join(s.ownDir(id), lowerFile))
	if err != nil {
		return nil, err
	}
	return lowersOf(s.overlayHome(), string(lower)), nil
}

// overlayOptions are for a layer of which dir is what comes before the names of its folders.
func overlayOptions(dir string, below []string, volatile bool) string {
	options := "lowerdir=" + strings.Join(below, ":") + ",upperdir=" + dir + "diff,workdir=" + dir + "work"
	if unshare.IsRootless() { // as the library has it: trusted.* is not a user's to write
		options += ",userxattr"
	}
	if volatile {
		options += ",volatile"
	}
	return options
}

// mountOwn mounts the layer, once: it is not counted. overlayfs(5): a volatile mount leaves a mark by which the next is
// refused, since the kernel cannot know what a crash took; what is mounted again here was unmounted in order.
func (s *Store) mountOwn(id string) (string, error) {
	dir := s.ownDir(id)
	merged := filepath.Join(dir, "merged")
	if mounted(dir, merged) {
		return merged, nil
	}
	below, err := s.lowers(id)
	if err != nil {
		return "", fmt.Errorf("mount container %q: %w", short(id), err)
	}
	_, err = os.Lstat(filepath.Join(dir, volatileFile))
	volatile := err == nil
	if volatile {
		if err := os.RemoveAll(filepath.Join(dir, "work", "work", "incompat", "volatile")); err != nil {
			return "", err
		}
	}
	err = mountOverlay(dir, below, volatile)
	if volatile && errors.Is(err, unix.EINVAL) { // a kernel before 5.11
		err = mountOverlay(dir, below, false)
	}
	if errors.Is(err, unix.ENOENT) {
		return "", errs.WithHint(errs.NotFound("the image below container %q is not in the store any more", short(id)), "load or pull it again")
	}
	if err != nil && errors.Is(unix.Access(dir, unix.W_OK), unix.EROFS) { // overlayfs says "invalid argument"
		err = unix.EROFS
	}
	if err != nil {
		return "", fmt.Errorf("mount container %q: %w", short(id), classed(err))
	}
	return merged, nil
}

// mountOverlay mounts at dir/merged. The options are short where they can be: everybody who reads the list of mounts pays for them.
func mountOverlay(dir string, below []string, volatile bool) error {
	near := make([]string, len(below))
	for i, path := range below {
		from, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		near[i] = from
	}
	err := mountin.Mount(dir, "overlay", "merged", "overlay", overlayOptions("", near, volatile))
	if errors.Is(err, mountin.ErrNoWayBack) {
		dir += "/"
		err = os.NewSyscallError("mount", unix.Mount("overlay", dir+"merged", "overlay", 0, overlayOptions(dir, below, volatile)))
	}
	return err
}

// mounted reports whether merged, which lies in dir, is the root of a mount.
func mounted(dir, merged string) bool {
	var in, at unix.Stat_t
	return unix.Lstat(dir, &in) == nil && unix.Lstat(merged, &at) == nil && in.Dev != at.Dev
}

func (s *Store) unmountOwn(id string) error {
	err := unix.Unmount(filepath.Join(s.ownDir(id), "merged"), unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount container %q: %w", short(id), err)
	}
	return nil
}

// deleteOwn has remove take the layer's folder away.
func (s *Store) deleteOwn(id string, remove func(dir string) error) error {
	if err := s.unmountOwn(id); err != nil {
		return err
	}
	failpoint.Hit("layers/own-unmounted")
	return remove(s.ownDir(id))
}

// Gone is the folder that SetAside moves layers to.
func (s *Store) Gone() string { return s.ownDir("gone") }

// SetAside is Delete, but the files may lie in Gone when it returns, for somebody to remove: on ext4 a folder less is up to
// a millisecond, and each container has a dozen. A later Delete of the same container removes them too.
func (s *Store) SetAside(ctx context.Context, id string) error {
	if !s.isOwn(id) {
		return s.Delete(ctx, id)
	}
	return s.deleteOwn(id, func(dir string) error { return cleanup.Aside(dir, s.Gone()) })
}

// sizeOwn returns the bytes of the container's own layer and of that with the image's below.
func (s *Store) sizeOwn(store storage.Store, id string) (rw, rootfs int64, err error) {
	usage, err := directory.Usage(filepath.Join(s.ownDir(id), "diff"))
	if err != nil {
		return 0, 0, err
	}
	below, err := s.lowers(id)
	if err != nil {
		return 0, 0, err
	}
	list, err := store.Layers()
	if err != nil {
		return 0, 0, err
	}
	top, err := layerOf(below[0])
	if err != nil {
		return 0, 0, err
	}
	size, err := indexLayers(list).size(store, top)
	return usage.Size, usage.Size + size, err
}

// layerOf is the id of the layer that a link of overlay's leads to: ../LAYER/diff.
func layerOf(link string) (string, error) {
	target, err := os.Readlink(link)
	return filepath.Base(filepath.Dir(target)), err
}
