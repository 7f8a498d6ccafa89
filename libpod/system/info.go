package system

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/network/uplink"
	"hull.dev/hull/pkg/ociruntime"
	"hull.dev/hull/pkg/rootless"
)

// Info describes the machine, the store and the engine. version is that of the program, which also is the monitor's.
func (s *Service) Info(ctx context.Context, version define.EngineVersion) (*define.Info, error) {
	host, err := s.host(ctx)
	if err != nil {
		return nil, err
	}
	host.Conmon.Version = "hull-conmon version " + version.Version
	store, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	registries, sources := s.sources(ctx)
	return &define.Info{
		Host: host, Store: store, Registries: registries, Sources: sources, Version: version,
		Plugins: define.PluginsInfo{
			Volume: []string{"local"}, Network: []string{"bridge", "macvlan", "ipvlan"},
			Log: []string{"k8s-file", "none", "passthrough", "json-file", "journald"},
		},
	}, nil
}

func (s *Service) host(ctx context.Context) (*define.HostInfo, error) {
	monitor, err := s.Config.FindMonitor()
	if err != nil {
		return nil, err
	}
	runtime, err := s.runtimeInfo(ctx)
	if err != nil {
		return nil, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, os.NewSyscallError("uname", err)
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	memory := readMemory()
	h := &define.HostInfo{
		Arch: goruntime.GOARCH, OS: goruntime.GOOS, CPUs: goruntime.NumCPU(), CPUUtilization: readCPU(),
		CgroupManager: "cgroupfs", Conmon: &define.ProgramInfo{Package: unknownPackage, Path: monitor},
		Distribution: readDistribution(), EventLogger: s.eventLogger(), Hostname: hostname,
		Kernel: unix.ByteSliceToString(name.Release[:]), LogDriver: s.Config.Containers.LogDriver,
		MemFree: memory["MemFree"], MemTotal: memory["MemTotal"], SwapFree: memory["SwapFree"], SwapTotal: memory["SwapTotal"],
		NetworkBackend: s.Config.Network.NetworkBackend, OCIRuntime: runtime, Uptime: readUptime(), Linkmode: "static",
		Slirp4NetNS: s.uplinkInfo(ctx, "slirp4netns"), Pasta: s.uplinkInfo(ctx, "pasta"),
		RemoteSocket: remoteSocket(),
		Security: define.SecurityInfo{
			Rootless: !s.Root, SECCOMPEnabled: fileExists("/proc/sys/kernel/seccomp"), SECCOMPProfilePath: s.Config.Containers.Seccomp(),
			AppArmorEnabled: strings.HasPrefix(firstLine("/sys/module/apparmor/parameters/enabled"), "Y") && s.Root,
			SELinuxEnabled:  fileExists("/sys/fs/selinux/enforce"),
		},
	}
	namePackages(h)
	h.CgroupsVersion, h.CgroupControllers = readCgroups(s.Root)
	if h.NetworkBackend == "" {
		h.NetworkBackend = "hull"
	}
	if !s.Root {
		h.IDMappings = define.IDMappingsInfo{UIDMap: readMap("/proc/self/uid_map"), GIDMap: readMap("/proc/self/gid_map")}
	}
	var caps []string
	for _, c := range s.Config.Containers.DefaultCapabilities.Values {
		caps = append(caps, "CAP_"+strings.TrimPrefix(c, "CAP_"))
	}
	h.Security.DefaultCapabilities = strings.Join(caps, ",")
	return h, nil
}

func (s *Service) eventLogger() string {
	if s.Events.Path == "" {
		return "none"
	}
	return "file"
}

func (s *Service) runtimeInfo(ctx context.Context) (*define.RuntimeInfo, error) {
	path, err := s.Config.FindRuntime("")
	if err != nil {
		return nil, err
	}
	r := ociruntime.Runtime{Path: path}
	text, err := r.Version(ctx)
	if err != nil {
		text = err.Error() // the facts that there are help who looks for what is wrong
	}
	return &define.RuntimeInfo{Name: r.Name(), Package: unknownPackage, Path: path, Version: text}, nil
}

// uplinkInfo is a program that hull would start, or nil.
func (s *Service) uplinkInfo(ctx context.Context, name string) *define.UplinkInfo {
	path, err := s.Config.FindHelper(name)
	if err != nil {
		return nil
	}
	return &define.UplinkInfo{Executable: path, Package: unknownPackage, Version: uplink.Version(ctx, path)}
}

// remoteSocket is where a service of this user would listen; there is none yet, and clients ask for the path.
func remoteSocket() *define.RemoteSocketInfo {
	path := filepath.Join(rootless.RuntimeDir(), "hull", "hull.sock")
	return &define.RemoteSocketInfo{Path: path, Exists: fileExists(path)}
}

// namePackages says of each program which package it comes from.
func namePackages(h *define.HostInfo) {
	names := map[string]*string{h.Conmon.Path: &h.Conmon.Package, h.OCIRuntime.Path: &h.OCIRuntime.Package}
	for _, u := range []*define.UplinkInfo{h.Slirp4NetNS, h.Pasta} {
		if u != nil {
			names[u.Executable] = &u.Package
		}
	}
	for path, name := range packagesOf(dpkgDir, slices.Sorted(maps.Keys(names))) {
		*names[path] = name
	}
}

func (s *Service) store(ctx context.Context) (*define.StoreInfo, error) {
	driver, err := s.Layers.Driver()
	if err != nil {
		return nil, err
	}
	status, err := s.Layers.Status()
	if err != nil {
		return nil, err
	}
	images, err := s.Layers.Images(ctx)
	if err != nil {
		return nil, err
	}
	i := &define.StoreInfo{
		ConfigFile: storageConf(s.Root), GraphDriverName: driver, GraphOptions: map[string]any{}, GraphRoot: s.Layers.GraphRoot(), GraphStatus: map[string]string{},
		ImageCopyTmpDir: s.Config.Engine.ImageCopyTmpDir, ImageStore: define.ImageStoreInfo{Number: len(images)}, RunRoot: s.Layers.RunRoot(),
		VolumePath: s.Dirs.Volumes, TransientStore: s.Layers.Transient(),
	}
	for _, option := range s.Layers.DriverOptions() {
		key, value, _ := strings.Cut(option, "=")
		i.GraphOptions[key] = value
	}
	for _, pair := range status {
		i.GraphStatus[pair[0]] = pair[1]
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(i.GraphRoot, &fs); err != nil {
		return nil, os.NewSyscallError("statfs "+i.GraphRoot, err)
	}
	i.GraphRootAllocated = fs.Blocks * uint64(fs.Bsize)
	i.GraphRootUsed = (fs.Blocks - fs.Bfree) * uint64(fs.Bsize)
	list, err := s.Containers.List(ctx, true)
	i.ContainerStore.Number = len(list)
	for _, c := range list {
		switch {
		case c.Status == define.StatusPaused:
			i.ContainerStore.Paused++
		case c.Status.Alive():
			i.ContainerStore.Running++
		default:
			i.ContainerStore.Stopped++
		}
	}
	return i, err
}

// storageConf is the storage.conf that has the last word, whether it is there or not (containers-storage.conf(5)).
func storageConf(root bool) string {
	if path := os.Getenv("CONTAINERS_STORAGE_CONF"); path != "" {
		return path
	}
	if !root {
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "containers/storage.conf")
		}
	}
	for _, path := range []string{"/etc/containers/storage.conf", "/usr/share/containers/storage.conf"} {
		if fileExists(path) {
			return path
		}
	}
	return ""
}
