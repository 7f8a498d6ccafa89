package ctrflags

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// mountFlags are the root file system and what is mounted in it.
type mountFlags struct {
	volumes, mounts, tmpfs, volumesFrom, devices []string
	readOnly, readOnlyTmpfs                      bool
	shmSize                                      string
}

func (g *mountFlags) add(fs *pflag.FlagSet, _ bool) {
	lists.Var(fs, &g.volumes, "volume", "v", "Bind mount a volume into the container ([SOURCE:]CONTAINER[:OPTIONS])")
	lists.Var(fs, &g.mounts, "mount", "", "Attach a filesystem mount to the container (type=bind,source=...,destination=...)")
	lists.Var(fs, &g.tmpfs, "tmpfs", "", "Mount a temporary filesystem (tmpfs) into a container")
	lists.Var(fs, &g.volumesFrom, "volumes-from", "", "Mount volumes from the specified container(s)")
	lists.Var(fs, &g.devices, "device", "", "Add a host device to the container (HOST[:CONTAINER][:rwm])")
	fs.BoolVar(&g.readOnly, "read-only", false, "Make containers root filesystem read-only")
	fs.BoolVar(&g.readOnlyTmpfs, "read-only-tmpfs", true, "When running containers in read-only mode mount a read-write tmpfs on /dev, /dev/shm, /run, /tmp and /var/tmp")
	fs.StringVar(&g.shmSize, "shm-size", "65536k", "Size of /dev/shm (format: <number>[<unit: b, k, m, g>])")
}

func (g *mountFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) error {
	for _, text := range append(slices.Clone(c.Containers.Volumes.Values), g.volumes...) {
		m, err := Volume(text)
		if err != nil {
			return err
		}
		o.Mounts = append(o.Mounts, m)
	}
	for _, text := range append(slices.Clone(c.Containers.Mounts.Values), g.mounts...) {
		m, err := Mount(text)
		if err != nil {
			return err
		}
		o.Mounts = append(o.Mounts, m)
	}
	for _, text := range g.tmpfs {
		m, err := Tmpfs(text)
		if err != nil {
			return err
		}
		o.Mounts = append(o.Mounts, m)
	}
	o.VolumesFrom, o.Devices = g.volumesFrom, append(slices.Clone(c.Containers.Devices.Values), g.devices...)
	o.ReadOnly, o.ReadOnlyTmpfs = g.readOnly || c.Containers.ReadOnly, g.readOnlyTmpfs
	size := g.shmSize
	if (!fs.Changed("shm-size") || size == "") && c.Containers.ShmSize != "" {
		size = c.Containers.ShmSize
	}
	size = cmp.Or(size, fs.Lookup("shm-size").DefValue)
	n, err := units.RAMInBytes(size)
	if err != nil || n < 0 {
		return errs.Invalid("--shm-size %q is not a size: write a number with b, k, m or g", size)
	}
	o.ShmSize = n
	return nil
}

// volumeOptions are the words behind the second colon of -v.
var volumeOptions = append([]string{
	"rw", "ro", "z", "Z", "U", "O", "copy", "nocopy", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "idmap", "bind", "rbind",
}, propagations...)

// Volume reads [SOURCE:]CONTAINER[:OPTIONS]; a source that begins with / or . is a folder of the host, else a name.
func Volume(text string) (m define.Mount, err error) {
	parts := strings.Split(text, ":")
	var options string
	given := len(parts) == 3
	switch len(parts) {
	case 1:
		m.Dest = parts[0]
	case 2:
		m.Source, m.Dest = parts[0], parts[1]
	case 3:
		m.Source, m.Dest, options = parts[0], parts[1], parts[2]
	default:
		return m, errs.Invalid("volume %q is not [SOURCE:]CONTAINER[:OPTIONS]", text)
	}
	if len(parts) > 1 && m.Source == "" {
		return m, errs.Invalid("volume %q: the source before the colon is empty", text)
	}
	if !filepath.IsAbs(m.Dest) {
		return m, errs.Invalid("volume %q: %q is not an absolute path in the container", text, m.Dest)
	}
	m.Type = "volume"
	if strings.HasPrefix(m.Source, "/") || strings.HasPrefix(m.Source, ".") {
		m.Type = "bind"
		if m.Source, err = filepath.Abs(m.Source); err != nil {
			return m, err
		}
	}
	if !given {
		return m, nil
	}
	for option := range strings.SplitSeq(options, ",") {
		if err := addOption(&m, option, text); err != nil {
			return m, err
		}
	}
	if err := checkOverlay(m.Options, text); err != nil {
		return m, err
	}
	return m, checkAlternatives(m.Options, "volume", text)
}

// checkOverlay refuses folders for an overlay that is none, and one of the two without the other.
func checkOverlay(options []string, text string) error {
	dirs := map[string]int{}
	for _, option := range options {
		if key, _, ok := strings.Cut(option, "="); ok && key != "idmap" {
			dirs[key]++
		}
	}
	switch overlay := slices.Contains(options, "O"); {
	case len(dirs) > 0 && (!overlay || dirs["upperdir"] != 1 || dirs["workdir"] != 1):
		return errs.Invalid("volume %q: upperdir= and workdir= go with each other and with O", text)
	case overlay && slices.ContainsFunc(options, define.IDMapped):
		return errs.Invalid("volume %q: the options O and idmap do not go together", text)
	}
	return nil
}

func addOption(m *define.Mount, option, text string) error {
	switch {
	case strings.HasPrefix(option, "idmap="):
		if !isMaps(strings.TrimPrefix(option, "idmap=")) {
			return errs.Invalid("volume %q: %s is not idmap=uids=FROM-TO-SIZE[#…];gids=FROM-TO-SIZE[#…]", text, option)
		}
	case strings.HasPrefix(option, "upperdir=/"), strings.HasPrefix(option, "workdir=/"):
	case !slices.Contains(volumeOptions, option):
		return errs.Invalid("volume %q: there is no option %q%s", text, option, errs.DidYouMean(option, volumeOptions))
	}
	m.Options = append(m.Options, option)
	return nil
}

// isMaps reports whether a text is [u|g]ids=FROM-TO-SIZE[#FROM-TO-SIZE…][;…], as crun(1) has it for its option idmap.
func isMaps(text string) bool {
	for part := range strings.SplitSeq(text, ";") {
		kind, ranges, _ := strings.Cut(part, "=")
		if kind != "uids" && kind != "gids" {
			return false
		}
		for r := range strings.SplitSeq(ranges, "#") {
			numbers := strings.Split(strings.TrimPrefix(r, "@"), "-")
			notOne := func(n string) bool { _, err := strconv.ParseUint(n, 10, 32); return err != nil }
			if len(numbers) != 3 || slices.ContainsFunc(numbers, notOne) {
				return false
			}
		}
	}
	return true
}

var mountKeys = []string{
	"type", "source", "src", "destination", "dest", "dst", "target", "ro", "readonly", "rw", "bind-propagation", "bind-nonrecursive",
	"tmpfs-size", "tmpfs-mode", "tmpcopyup", "notmpcopyup", "nocopy", "copy", "exec", "noexec", "suid", "nosuid", "dev", "nodev",
	"relabel", "z", "Z", "U", "chown", "idmap", "consistency", "volume-opt",
}

// Mount reads KEY=VALUE,... of --mount.
func Mount(text string) (m define.Mount, err error) {
	m.Type = "volume"
	for field := range strings.SplitSeq(text, ",") {
		key, value, has := strings.Cut(field, "=")
		if err := setMount(&m, key, value, has, text); err != nil {
			return m, err
		}
	}
	if err := checkAlternatives(m.Options, "--mount", text); err != nil {
		return m, err
	}
	if err := checkMountType(m.Type, text); err != nil {
		return m, err
	}
	switch {
	case m.Dest == "":
		return m, errs.Invalid("--mount %q: destination is missing", text)
	case m.Type == "bind" && m.Source == "":
		return m, errs.Invalid("--mount %q: a bind mount needs source=", text)
	case m.Type == "bind":
		m.Source, err = filepath.Abs(m.Source)
	}
	return m, err
}

func setMount(m *define.Mount, key, value string, has bool, text string) error {
	switch key {
	case "type":
		m.Type = value
	case "source", "src":
		m.Source = value
	case "destination", "dest", "dst", "target":
		if !filepath.IsAbs(value) {
			return errs.Invalid("--mount %q: %q is not an absolute path in the container", text, value)
		}
		m.Dest = value
	case "ro", "readonly", "rw":
		readOnly := key != "rw"
		if has {
			yes, err := strconv.ParseBool(value)
			if err != nil {
				return errs.Invalid("--mount %q: %s is true or false, not %q", text, key, value)
			}
			readOnly = readOnly == yes
		}
		m.Options = append(m.Options, map[bool]string{true: "ro", false: "rw"}[readOnly])
	case "bind-propagation":
		if !slices.Contains(propagations, value) {
			return errs.Invalid("--mount %q: there is no propagation %q%s", text, value, errs.DidYouMean(value, propagations))
		}
		m.Options = append(m.Options, value)
	case "bind-nonrecursive":
		m.Options = append(m.Options, "bind")
	case "tmpfs-size":
		m.Options = append(m.Options, "size="+value)
	case "tmpfs-mode":
		m.Options = append(m.Options, "mode="+value)
	case "tmpcopyup", "notmpcopyup", "nocopy", "copy", "exec", "noexec", "suid", "nosuid", "dev", "nodev":
		m.Options = append(m.Options, key)
	case "z", "Z", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
		m.Options = append(m.Options, key)
	case "consistency": // docker's for macOS; podman ignores it too
	case "relabel":
		word := map[string]string{"shared": "z", "private": "Z"}[value]
		if word == "" {
			return errs.Invalid("--mount %q: relabel is shared or private, not %q", text, value)
		}
		m.Options = append(m.Options, word)
	case "U", "chown", "idmap":
		return setSwitch(m, key, value, text)
	case "volume-opt":
		return errs.NotBuilt("--mount option " + key)
	default:
		return errs.Invalid("--mount %q: there is no option %q%s", text, key, errs.DidYouMean(key, mountKeys))
	}
	return nil
}

// setSwitch is setMount for an option that is on or off, or has maps.
func setSwitch(m *define.Mount, key, value, text string) error {
	word := map[string]string{"U": "U", "chown": "U", "idmap": "idmap"}[key]
	yes, err := strconv.ParseBool(cmp.Or(value, "true"))
	switch {
	case err != nil && word == "idmap":
		return addOption(m, word+"="+value, text)
	case err != nil:
		return errs.Invalid("--mount %q: %s is true or false, not %q", text, key, value)
	case yes:
		m.Options = append(m.Options, word)
	}
	return nil
}

// Tmpfs reads PATH[:OPTIONS].
func Tmpfs(text string) (m define.Mount, err error) {
	dest, options, ok := strings.Cut(text, ":")
	if !filepath.IsAbs(dest) {
		return m, errs.Invalid("--tmpfs %q: %q is not an absolute path", text, dest)
	}
	m = define.Mount{Type: "tmpfs", Dest: dest}
	if !ok {
		return m, nil
	}
	m.Options = strings.Split(options, ",")
	for _, option := range m.Options {
		if err := checkTmpfsOption(option, text); err != nil {
			return m, err
		}
	}
	return m, checkAlternatives(m.Options, "--tmpfs", text)
}
