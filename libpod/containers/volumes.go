package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.podman.io/storage/drivers/copy"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/safepath"
)

// mountpoint is the folder of a volume's content.
func (s *Service) mountpoint(name string) string {
	return filepath.Join(s.Dirs.Volumes, name, "_data")
}

// volumesOf returns the volumes of a container as they are written down where there is none of the name.
func (s *Service) volumesOf(c *define.ContainerConfig) []define.Volume {
	list := make([]define.Volume, 0, len(c.Volumes))
	for _, v := range c.Volumes {
		list = append(list, define.Volume{
			Name: v.Name, Driver: "local", Mountpoint: s.mountpoint(v.Name), CreatedAt: c.Created,
			Labels: map[string]string{}, Options: map[string]string{}, Anonymous: v.Anonymous,
		})
	}
	return list
}

// removeAnonymous removes the folders of the anonymous volumes that container c alone uses and returns their names.
func (s *Service) removeAnonymous(ctx context.Context, c *locked) ([]string, error) {
	var gone []string
	for _, v := range c.Config.Volumes {
		if !v.Anonymous {
			continue
		}
		users, err := s.State.UsersOf(ctx, v.Name)
		if err != nil {
			return nil, err
		}
		if len(users) > 1 {
			continue
		}
		if err := os.RemoveAll(filepath.Dir(s.mountpoint(v.Name))); err != nil {
			return nil, fmt.Errorf("remove volume %q: %w", v.Name, err)
		}
		gone = append(gone, v.Name)
	}
	return gone, nil
}

// fillVolumes copies what the image has at a volume's place into the volume when that is empty, and gives the folder
// the owner and mode of the image's (podman-run(1) --volume, "nocopy" leaves the files out). Where the image has nothing the folder is the
// container's user's.
func (s *Service) fillVolumes(c *locked, root string) error {
	for _, v := range c.Config.Volumes {
		target := s.mountpoint(v.Name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return fmt.Errorf("make volume %q: %w", v.Name, err)
		}
		if !empty(target) {
			continue
		}
		source, err := safepath.Open(root, v.Dest, os.O_RDONLY)
		if err != nil {
			err = giveNew(target, &c.Config, root)
		} else {
			err = copyFolder(source, target, has(v.Options, "nocopy"))
			_ = source.Close()
		}
		if err == nil && has(v.Options, "idmap") {
			err = eachOwner(target, func(o owner) owner { return inside(c.Config.IDMap, o) })
		}
		if err != nil {
			return fmt.Errorf("fill volume %q from the image's %s: %w", v.Name, v.Dest, err)
		}
	}
	return nil
}

// giveNew gives an empty volume that is nobody's yet, which is root's, to the container's user.
func giveNew(dir string, c *define.ContainerConfig, root string) error {
	to, err := ownerOf(c, root)
	if err != nil {
		return err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if fileOwner(st) != (owner{0, 0}) {
		return nil
	}
	return os.Chown(dir, to.uid, to.gid)
}

// copyFolder copies an open folder, or its owner and mode alone: the path through /proc leads to that folder, whatever the container's root has
// become meanwhile.
func copyFolder(source *os.File, target string, ownerOnly bool) error {
	st, err := source.Stat()
	if err != nil || !st.IsDir() {
		return err
	}
	if ownerOnly {
		own := fileOwner(st)
		return errors.Join(os.Chown(target, own.uid, own.gid), os.Chmod(target, st.Mode()))
	}
	path := fmt.Sprintf("/proc/self/fd/%d/.", source.Fd())
	return copy.DirCopy(path, target, copy.Content, true)
}

func empty(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) == 0
}

func has(list []string, word string) bool {
	return slices.Contains(list, word)
}
