package ocispec

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// initInside is where the program of --init lies in the container.
const initInside = "/run/podman-init"

// mounts are the system's, then our files, then the user's; of two at one place the later one wins, and a deeper one
// comes after what it lies in.
func mounts(in *Input, s *specs.Spec) error {
	list := systemMounts(in)
	for inside, file := range in.Files {
		list = append(list, specs.Mount{Destination: inside, Type: "bind", Source: file, Options: []string{"bind", "rprivate"}})
	}
	if in.Config.Options.Init {
		list = append(list, specs.Mount{Destination: initInside, Type: "bind", Source: in.InitPath, Options: []string{"bind", "ro"}})
	}
	if in.Config.Options.ReadOnly && in.Config.Options.ReadOnlyTmpfs {
		for _, dir := range []string{"/run", "/tmp", "/var/tmp"} {
			list = append(list, specs.Mount{Destination: dir, Type: "tmpfs", Source: "tmpfs", Options: []string{"rw", "rprivate", "nosuid", "nodev", "tmpcopyup"}})
		}
	}
	var err error
	for _, m := range in.Config.Options.Mounts {
		overlay, written := in.Overlays[path.Clean(m.Dest)]
		if m.Type == "volume" && !written {
			continue // in Volumes, with its source resolved
		}
		var one specs.Mount
		if written {
			one, err = overlayMount(in, m, overlay)
		} else {
			one, err = userMount(m, s.Process.User)
		}
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	for _, v := range in.Config.Volumes {
		if _, written := in.Overlays[v.Dest]; written {
			continue
		}
		list = append(list, specs.Mount{
			Destination: v.Dest, Type: "bind", Source: in.Volumes[v.Name],
			Options: VolumeOptions(slices.DeleteFunc(slices.Clone(v.Options), ours)),
		})
	}
	s.Mounts, err = ordered(list)
	s.Linux.RootfsPropagation = rootPropagation(s.Mounts)
	return err
}

// rootPropagation is what the container's root has to be for mounts that are to get what is mounted below them outside, and no more.
func rootPropagation(mounts []specs.Mount) string {
	root := ""
	for _, m := range mounts {
		for _, o := range m.Options {
			switch o {
			case "shared", "rshared":
				return "shared"
			case "slave", "rslave":
				root = "rslave"
			}
		}
	}
	return root
}

// Overlay is a mount with the option O: the container sees Lower, and what it writes goes to Upper.
type Overlay struct{ Lower, Upper, Work string }

func overlayMount(in *Input, m define.Mount, o Overlay) (specs.Mount, error) {
	for _, path := range []string{o.Lower, o.Upper, o.Work} {
		if strings.ContainsAny(path, ",\\") {
			return specs.Mount{}, errs.Invalid("mount %q: an overlay's folder has no comma and no backslash in its name", path)
		}
	}
	options := []string{"lowerdir=" + strings.ReplaceAll(o.Lower, ":", "\\:"), "upperdir=" + o.Upper, "workdir=" + o.Work, "rprivate"}
	if in.Rootless {
		options = append(options, "userxattr")
	}
	for _, option := range m.Options {
		if slices.Contains([]string{"exec", "noexec", "suid", "nosuid", "dev", "nodev", "ro"}, option) {
			options = append(options, option)
		}
	}
	return specs.Mount{Destination: path.Clean(m.Dest), Type: "overlay", Source: "overlay", Options: options}, nil
}

func systemMounts(in *Input) []specs.Mount {
	o := &in.Config.Options
	ro := "ro"
	if o.Privileged {
		ro = "rw"
	}
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", ro}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: devptsOptions(in)},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
	}
	// A new procfs needs a pid namespace of ours, a new sysfs a network namespace, a new mqueue an ipc namespace.
	if o.PID == "host" && in.Rootless {
		list[0] = specs.Mount{Destination: "/proc", Type: "bind", Source: "/proc", Options: []string{"rbind", "nosuid", "noexec", "nodev"}}
	}
	if in.Config.Network == "host" && in.Rootless {
		list[2] = specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: []string{"rprivate", "nosuid", "noexec", "nodev", ro, "rbind"}}
	}
	if o.IPC == "host" && in.Rootless {
		list[4] = specs.Mount{Destination: "/dev/mqueue", Type: "bind", Source: "/dev/mqueue", Options: []string{"bind", "nosuid", "noexec", "nodev"}}
		if _, err := os.Stat("/dev/mqueue"); err != nil { // the host has none
			list = list[:4]
		}
	}
	switch shm := in.Shm; {
	case o.IPC == "none":
	case shm != "":
		list = append(list, specs.Mount{Destination: "/dev/shm", Type: "bind", Source: shm, Options: []string{"bind", "rprivate", "nosuid", "noexec", "nodev"}})
	default:
		list = append(list, specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", o.ShmSize)}})
	}
	if o.CgroupNS == "host" && in.Rootless {
		return append(list, specs.Mount{Destination: "/sys/fs/cgroup", Type: "bind", Source: "/sys/fs/cgroup", Options: []string{"rprivate", "nosuid", "noexec", "nodev", "rbind", "ro"}})
	}
	return append(list, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"rprivate", "nosuid", "noexec", "nodev", "relatime", ro}})
}

// devptsOptions gives terminals to the group tty, where that group is mapped.
func devptsOptions(in *Input) []string {
	list := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	highest := in.MaxID
	if m := in.Config.IDMap; m != nil {
		highest = 0
		for _, r := range m.GIDs {
			highest = max(highest, r.ContainerID+r.Size-1)
		}
	}
	if highest >= 5 {
		list = append(list, "gid=5")
	}
	return list
}

// ours reports whether an option is for hull and not for the runtime.
func ours(option string) bool {
	switch option {
	case "U", "O", "z", "Z", "copy", "nocopy", "notmpcopyup":
		return true
	}
	return false
}

// userMount turns one of -v, --mount or --tmpfs into the runtime's words.
func userMount(m define.Mount, user specs.User) (specs.Mount, error) {
	out := specs.Mount{Destination: path.Clean(m.Dest), Source: m.Source}
	options := slices.DeleteFunc(slices.Clone(m.Options), ours)
	switch m.Type {
	case "bind":
		if _, err := os.Stat(m.Source); err != nil {
			return out, fmt.Errorf("mount %q: %w", m.Source, err)
		}
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			return out, fmt.Errorf("mount %q: %w", m.Source, err)
		}
		out.Type, out.Source, out.Options = "bind", source, BindOptions(options)
	case "tmpfs":
		out.Type, out.Source = "tmpfs", "tmpfs"
		if slices.Contains(m.Options, "U") {
			options = append(options, fmt.Sprintf("uid=%d", user.UID), fmt.Sprintf("gid=%d", user.GID))
		}
		out.Options = tmpfsOptions(options, slices.Contains(m.Options, "notmpcopyup"))
	case "devpts":
		out.Type, out.Source, out.Options = "devpts", "devpts", append([]string{"nosuid", "noexec", "newinstance", "ptmxmode=0666"}, options...)
	default:
		return out, errs.Invalid("mount type %q: bind, volume, tmpfs and devpts are there", m.Type)
	}
	return out, nil
}

// BindOptions completes the options of a bind mount by podman's defaults: rw, rprivate, rbind.
func BindOptions(given []string) []string {
	out := slices.Clone(given)
	lacks := func(words ...string) bool {
		return !slices.ContainsFunc(out, func(o string) bool { return slices.Contains(words, o) })
	}
	if lacks("rw", "ro") {
		out = append(out, "rw")
	}
	if lacks("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable") {
		out = append(out, "rprivate")
	}
	if lacks("bind", "rbind") {
		out = append(out, "rbind")
	}
	return out
}

// VolumeOptions completes the options of a named volume: those of a bind mount, and neither devices nor setuid programs count in it
// unless that is asked for.
func VolumeOptions(given []string) []string {
	return BindOptions(unless(slices.Clone(given), [2]string{"nosuid", "suid"}, [2]string{"nodev", "dev"}))
}

// unless adds the first of each pair where neither is given.
func unless(options []string, pairs ...[2]string) []string {
	for _, pair := range pairs {
		if !slices.Contains(options, pair[0]) && !slices.Contains(options, pair[1]) {
			options = append(options, pair[0])
		}
	}
	return options
}

func tmpfsOptions(given []string, noCopyUp bool) []string {
	out := unless(slices.Clone(given), [2]string{"rw", "ro"}, [2]string{"nosuid", "suid"}, [2]string{"nodev", "dev"})
	if !slices.Contains(out, "rprivate") {
		out = append(out, "rprivate")
	}
	if !slices.Contains(out, "tmpcopyup") && !noCopyUp {
		out = append(out, "tmpcopyup")
	}
	return out
}

// ordered keeps the last mount of each destination and sorts by depth.
func ordered(list []specs.Mount) ([]specs.Mount, error) {
	last := map[string]int{}
	for i := range list {
		list[i].Destination = path.Clean(list[i].Destination)
		if !path.IsAbs(list[i].Destination) {
			return nil, errs.Invalid("mount destination %q is not an absolute path", list[i].Destination)
		}
		last[list[i].Destination] = i
	}
	var out []specs.Mount
	for i, m := range list {
		if last[m.Destination] == i {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b specs.Mount) int {
		return depth(a.Destination) - depth(b.Destination)
	})
	return out, nil
}

func depth(dest string) int { return strings.Count(strings.TrimSuffix(dest, "/"), "/") }
