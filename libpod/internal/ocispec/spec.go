// Package ocispec turns a container's config into the specification that the OCI runtime reads (runtime-spec
// config.md). The spec is made at each start, of the oldest version that has what the container uses: Debian's crun
// 1.8.1 refuses a version that it does not know.
package ocispec

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/safepath"
)

// Version is the spec's: umask, time of 2020, is in it, and nothing newer is used.
const Version = "1.0.2"

// Input is what a spec is made from besides the container's own config.
type Input struct {
	Config   *define.ContainerConfig
	Rootfs   string             // the mounted root file system, or the folder of --rootfs
	Dir      string             // runtime directory of the container; its files are mounted inside
	Volumes  map[string]string  // mount points of the named volumes by name
	Overlays map[string]Overlay // of mounts with the option O, by their places
	Joined   map[string]string  // namespaces of other containers or files: kind (network, pid, ipc, uts, user) to path
	NetNS    string             // network namespace made for this container, or ""
	Shm      string             // host folder behind /dev/shm, or "" for a tmpfs in the container
	Files    map[string]string  // files of ours inside: /etc/hosts to its path on the host
	Home     string             // of the user, when the image does not say
	InitPath string             // program for --init
	Rootless bool
	MaxID    int // highest group id that is mapped in the engine's user namespace

	Capabilities []string // default set
	Seccomp      string   // path of the default profile, or "" for the built-in one
	Ulimits      []string // defaults
	PidsLimit    int64
	Sysctls      []string
}

// Make returns the spec. Wrong input is an error of class InvalidArgument.
func Make(in Input) (*specs.Spec, error) {
	o := &in.Config.Options
	s := &specs.Spec{
		Version:     Version,
		Root:        &specs.Root{Path: in.Rootfs, Readonly: o.ReadOnly},
		Hostname:    in.Config.Hostname,
		Annotations: Annotations(in.Config),
		Linux: &specs.Linux{
			Sysctl:    map[string]string{},
			Resources: &specs.LinuxResources{},
		},
	}
	for _, step := range []func(*Input, *specs.Spec) error{
		namespaces, process, capabilities, rlimits, mounts, workdir, devices, sysctls, security, cgroup,
	} {
		if err := step(&in, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// workdir checks the folder that the user asked to work in: it is in the image or below a mount. One that the image asks
// for is made by the runtime (podman-run(1) --workdir).
func workdir(in *Input, s *specs.Spec) error {
	dir := path.Clean(in.Config.Options.Workdir)
	if in.Config.Options.Workdir == "" || slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool {
		return dir == m.Destination || strings.HasPrefix(dir, strings.TrimSuffix(m.Destination, "/")+"/")
	}) {
		return nil
	}
	if info, err := safepath.Stat(in.Rootfs, dir); err != nil || !info.IsDir() {
		return errs.WithExit(errs.Invalid("the working directory %q is not in the container", dir), errs.ExitNotExecutable)
	}
	return nil
}

// Annotations are those of the spec: podman's own, then the user's.
func Annotations(c *define.ContainerConfig) map[string]string {
	flag := func(b bool) string { return strings.ToUpper(fmt.Sprint(b)) }
	a := map[string]string{
		"io.container.manager":              "libpod",
		"io.podman.annotations.autoremove":  flag(c.Options.Remove),
		"io.podman.annotations.init":        flag(c.Options.Init),
		"io.podman.annotations.privileged":  flag(c.Options.Privileged),
		"io.podman.annotations.publish-all": flag(c.Options.PublishAll),
		"org.opencontainers.image.stopSignal": fmt.Sprint(
			c.StopSignal,
		),
	}
	maps.Copy(a, c.Options.Annotations)
	return a
}

// sysctls are the configuration's, where their namespace is the container's own, and the user's, where that must be so.
func sysctls(in *Input, s *specs.Spec) error {
	for _, pair := range in.Sysctls {
		key, value, _ := strings.Cut(pair, "=")
		if sysctlNamespace(key) != "" && private(s, sysctlNamespace(key)) && !in.Config.Options.Privileged {
			s.Linux.Sysctl[key] = value
		}
	}
	maps.Copy(s.Linux.Sysctl, in.Config.Options.Sysctl)
	return nil
}

// CheckSysctls refuses a sysctl that is the host's, or that of a namespace which the container shares with the host.
func CheckSysctls(c *define.ContainerConfig) error {
	o := &c.Options
	for key := range o.Sysctl {
		kind := sysctlNamespace(key)
		if kind == "" {
			return errs.Invalid("sysctl %q is not of a namespace: containers can set kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.* and net.*", key)
		}
		modes := map[specs.LinuxNamespaceType]string{specs.NetworkNamespace: c.Network, specs.IPCNamespace: o.IPC, specs.UTSNamespace: o.UTS}
		if modes[kind] == "host" {
			return errs.Invalid("sysctl %q needs a %s namespace of the container's own", key, kind)
		}
	}
	return nil
}

// sysctlNamespace returns the kind of namespace that a sysctl belongs to, or "" for the host's own.
func sysctlNamespace(key string) specs.LinuxNamespaceType {
	switch {
	case strings.HasPrefix(key, "net."):
		return specs.NetworkNamespace
	case strings.HasPrefix(key, "fs.mqueue."), strings.HasPrefix(key, "kernel.msg"), strings.HasPrefix(key, "kernel.shm"), key == "kernel.sem":
		return specs.IPCNamespace
	case key == "kernel.domainname":
		return specs.UTSNamespace
	}
	return ""
}

// private reports whether the spec has a namespace of this kind, of its own or joined.
func private(s *specs.Spec, kind specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
}

// CgroupPath is the cgroup that a container gets, if it gets one.
func CgroupPath(id string, o *define.CreateOptions) string {
	return strings.TrimSuffix(cmp.Or(o.CgroupParent, "/hull"), "/") + "/hull-" + id
}

// cgroup names the container's cgroup, or none with --cgroups=disabled.
func cgroup(in *Input, s *specs.Spec) error {
	o := &in.Config.Options
	if o.Cgroups == "disabled" {
		return nil
	}
	s.Linux.CgroupsPath = CgroupPath(in.Config.ID, o)
	if in.PidsLimit > 0 && !in.Rootless {
		limit := in.PidsLimit
		s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &limit}
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil && in.Rootless {
		// Rootless without a delegated cgroup: the runtime stays where it is.
		if !writable("/sys/fs/cgroup" + ownCgroup()) {
			s.Linux.CgroupsPath = ""
		}
	}
	return nil
}
