package containers

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/pkg/errs"
)

// owner is the user of a container's process, in ids of the engine's user namespace.
type owner struct{ uid, gid int }

// ownerOf finds the user that a container's process will be. root is the container's root file system.
func ownerOf(c *define.ContainerConfig, root string) (owner, error) {
	who, err := ocispec.LookupUser(root, c.User)
	if err != nil {
		return owner{}, err
	}
	if c.IDMap == nil {
		return owner{who.Uid, who.Gid}, nil
	}
	o := owner{engineID(c.IDMap.UIDs, who.Uid), engineID(c.IDMap.GIDs, who.Gid)}
	if o.uid < 0 || o.gid < 0 {
		return o, errs.Invalid("user %d:%d of the container is not mapped to one outside", who.Uid, who.Gid)
	}
	return o, nil
}

// fileOwner is whose a file is.
func fileOwner(info os.FileInfo) owner {
	st := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // os has no other on Linux
	return owner{int(st.Uid), int(st.Gid)}
}

// engineID is the id that one of a container is in the engine's user namespace, -1 for one that is not mapped.
func engineID(ranges []define.IDRange, id int) int {
	for _, r := range ranges {
		if id >= r.ContainerID && id < r.ContainerID+r.Size {
			return r.HostID + id - r.ContainerID
		}
	}
	return -1
}

// containerID is the other way: the id in the container, or the same one where there is none.
func containerID(ranges []define.IDRange, id int) int {
	for _, r := range ranges {
		if id >= r.HostID && id < r.HostID+r.Size {
			return r.ContainerID + id - r.HostID
		}
	}
	return id
}

// inside is an owner in the container's own ids, which is who a file on an idmapped mount (mount_setattr(2)) has to belong to.
func inside(m *define.IDMap, o owner) owner {
	return owner{containerID(m.UIDs, o.uid), containerID(m.GIDs, o.gid)}
}

// giveMounts gives what is mounted with the option U to the container's user, all the way down (podman-run(1) --volume).
func (s *Service) giveMounts(c *define.ContainerConfig, root string) error {
	var dirs []string
	for _, m := range c.Options.Mounts {
		if !givesAway(m.Options) {
			continue
		}
		if m.Type == "bind" {
			dirs = append(dirs, m.Source)
		}
		for _, option := range m.Options {
			if upper, ok := strings.CutPrefix(option, "upperdir="); ok { // of the option O
				dirs = append(dirs, upper)
			}
		}
	}
	var idmapped []string
	for _, v := range c.Volumes {
		if !givesAway(v.Options) {
			continue
		}
		if has(v.Options, "idmap") {
			idmapped = append(idmapped, s.mountpoint(v.Name))
		} else {
			dirs = append(dirs, s.mountpoint(v.Name))
		}
	}
	if len(dirs)+len(idmapped) == 0 {
		return nil
	}
	to, err := ownerOf(c, root)
	if err != nil {
		return err
	}
	for i, dir := range append(dirs, idmapped...) {
		if i == len(dirs) {
			to = inside(c.IDMap, to)
		}
		if err := giveTree(dir, to); err != nil {
			return errs.WithHint(fmt.Errorf("give %q to the container's user: %w", dir, err), "leave the option U out, or change the owner with hull unshare chown")
		}
	}
	return nil
}

func givesAway(options []string) bool { return has(options, "U") }

// checkGiven refuses folders of the system and whole homes for the option U: no one means to give these away with all that is in them.
func checkGiven(dir string) error {
	clean, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	home, _ := os.UserHomeDir()
	system := slices.Contains([]string{"/usr", "/etc", "/dev", "/proc", "/sys", "/boot", "/bin", "/sbin", "/lib", "/lib64"}, firstOf(clean))
	if system || strings.Count(clean, "/") < 2 || clean == home || slices.Contains([]string{"/var/lib", "/var/log", "/var/tmp"}, clean) {
		return errs.WithHint(errs.Invalid("mount %q: the option U would change the owner of all that is in %s", dir, clean), "mount a folder in it")
	}
	return nil
}

// firstOf is the topmost folder that an absolute path leads through.
func firstOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + first
}

// giveTree changes the owner of a file, or of a folder and what is in it.
func giveTree(path string, to owner) error {
	return eachOwner(path, func(owner) owner { return to })
}

// eachOwner changes the owner of a file, or of a folder and what is in it. What others put into the folder meanwhile leads nowhere else
// (os.Root), and a link's own owner changes, never that of what it leads to.
func eachOwner(path string, change func(owner) owner) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		to := change(fileOwner(st))
		return os.Chown(path, to.uid, to.gid)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		from := fileOwner(info)
		to := change(from)
		if from == to {
			return nil
		}
		return root.Lchown(name, to.uid, to.gid)
	})
}
