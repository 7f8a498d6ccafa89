package containers

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
)

// Inspect returns what podman-container-inspect(1) tells of a container; with size also how much it wrote.
func (s *Service) Inspect(ctx context.Context, ref string, size bool) (*define.ContainerInspect, error) {
	c, err := s.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	sessions, err := s.State.Execs(ctx, c.Config.ID)
	if err != nil {
		return nil, err
	}
	on, err := s.State.DependsOn(ctx, c.Config.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range sessions {
		c.Execs = append(c.Execs, e.ID)
	}
	i := s.inspect(c)
	i.Dependencies = append([]string{}, on...)
	if size && !c.Config.Options.Rootfs {
		rw, root, err := s.Layers.Size(ctx, c.Config.ID)
		if err != nil {
			return nil, err
		}
		i.SizeRw, i.SizeRootFs = &rw, &root
	}
	return i, nil
}

func (s *Service) inspect(c *define.Container) *define.ContainerInspect {
	cfg, o := &c.Config, &c.Config.Options
	i := &define.ContainerInspect{
		ID: cfg.ID, Created: cfg.Created, Path: first(cfg.Command), Args: rest(cfg.Command), State: inspectState(c),
		Image: cfg.ImageID, ImageDigest: cfg.ImageDigest, ImageName: cfg.ImageName, Name: cfg.Name,
		StaticDir: c.StaticDir, OCIRuntime: s.runtimeName(cfg), RestartCount: c.Exit.Restarts, Driver: s.driver(),
		MountLabel: cfg.MountLabel, ProcessLabel: cfg.ProcessLabel, Mounts: s.inspectMounts(cfg), ExecIDs: append([]string{}, c.Execs...),
		GraphDriver: define.InspectDriver{Name: s.driver()}, NetworkSettings: s.inspectNetwork(c),
		LockNumber: 0,
	}
	if o.Rootfs {
		i.Rootfs, i.GraphDriver.Name = o.Image, ""
	} else {
		i.GraphDriver.Data = s.Layers.OverlayDirs(cfg.ID, c.Status.Alive())
	}
	if c.Status.Alive() {
		i.ResolvConfPath, i.HostnamePath, i.HostsPath = c.Dir+"/etc-resolv.conf", c.Dir+"/etc-hostname", c.Dir+"/etc-hosts"
		i.OCIConfigPath, i.PidFile = c.Dir+"/config.json", o.PIDFile
		i.RestartCount = c.Restarts
	}
	i.ConmonPidFile = o.MonitorPID
	caps, err := ocispec.Capabilities(s.Config.Containers.DefaultCapabilities.Values, o.CapAdd, o.CapDrop)
	if err == nil {
		i.EffectiveCaps, i.BoundingCaps = caps, caps
	}
	i.Config = s.inspectConfig(cfg)
	i.HostConfig = s.inspectHost(cfg, caps)
	return i
}

func (s *Service) runtimeName(c *define.ContainerConfig) string {
	r, err := s.runtime(c)
	if err != nil {
		return c.Options.Runtime
	}
	return r.Name()
}

// driver is the storage driver where it is known without opening the store.
func (s *Service) driver() string {
	if name := s.Layers.FixedDriver(); name != "" {
		return name
	}
	return "overlay"
}

func inspectState(c *define.Container) define.InspectState {
	st := define.InspectState{
		OciVersion: ocispec.Version, Status: string(c.Status), Running: c.PID != 0 && c.Status != define.StatusInitialized,
		Paused: c.Status == define.StatusPaused, Restarting: c.Status == define.StatusRestarting, OOMKilled: c.Exit.OOM,
		Pid: c.PID, ConmonPid: c.Monitor, ExitCode: c.Exit.Code, Error: c.Exit.Error, StartedAt: c.Started, FinishedAt: c.Exit.At,
	}
	if c.Status.Alive() {
		st.ExitCode, st.Error = 0, ""
		st.CgroupPath = cgroupOf(c.PID)
	}
	return st
}

// cgroupOf is the path of a process in the cgroup v2 hierarchy (cgroups(7)), "" when it is not to be known.
func cgroupOf(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path
		}
	}
	return ""
}

func (s *Service) inspectConfig(c *define.ContainerConfig) define.InspectConfig {
	o := &c.Options
	i := define.InspectConfig{
		Hostname: c.Hostname, User: c.User, AttachStdin: o.Interactive, Tty: o.TTY, OpenStdin: o.Interactive, Env: ocispec.Environment(c.Env, "/", c.Hostname, o.TTY),
		Cmd: c.CommandOnly, Image: c.ImageName, WorkingDir: c.Workdir, Entrypoint: strings.Join(c.Entrypoint, " "), Labels: c.Labels,
		Annotations: ocispec.Annotations(c), StopSignal: c.StopSignal, HealthcheckOnFailureAction: "none", CreateCommand: o.CreateCommand,
		Umask: o.Umask, Timeout: o.Timeout, StopTimeout: o.StopTimeout, Passwd: o.Passwd, SdNotifyMode: "container", Timezone: o.TZ,
	}
	return i
}

// inspectUlimits are the limits that the user and the configuration name; the rest are the engine's own.
func (s *Service) inspectUlimits(o *define.CreateOptions) []define.InspectUlimit {
	list := []define.InspectUlimit{}
	for _, text := range append(slices.Clone(s.Config.Containers.DefaultUlimits.Values), o.Ulimits...) {
		l, err := ocispec.ParseUlimit(text)
		if err != nil {
			continue // "host"
		}
		list = slices.DeleteFunc(list, func(u define.InspectUlimit) bool { return u.Name == l.Type })
		list = append(list, define.InspectUlimit{Name: l.Type, Soft: l.Soft, Hard: l.Hard})
	}
	return list
}

func (s *Service) inspectHost(c *define.ContainerConfig, caps []string) define.InspectHostConfig {
	o := &c.Options
	h := define.InspectHostConfig{
		Binds: []string{}, CgroupManager: "cgroupfs", CgroupMode: orElse(o.CgroupNS, "private"), ContainerIDFile: o.CIDFile,
		NetworkMode: c.Network, PortBindings: bindings(c.Ports), AutoRemove: o.Remove, Annotations: o.Annotations,
		CapAdd: []string{}, CapDrop: []string{}, DNS: []string{}, DNSOptions: append([]string{}, o.DNSOptions...), DNSSearch: append([]string{}, o.DNSSearch...),
		ExtraHosts: append([]string{}, o.AddHosts...), GroupAdd: append([]string{}, o.GroupAdd...), IpcMode: orElse(o.IPC, "shareable"),
		Cgroups: "default", PidMode: orElse(o.PID, "private"), Privileged: o.Privileged, PublishAllPorts: o.PublishAll,
		ReadonlyRootfs: o.ReadOnly, SecurityOpt: append([]string{}, o.SecurityOpts...), Tmpfs: map[string]string{}, UTSMode: orElse(o.UTS, "private"),
		UsernsMode: usernsMode(c), ShmSize: o.ShmSize, Runtime: "oci", ConsoleSize: []uint{0, 0}, CgroupParent: o.CgroupParent,
		Devices: []string{}, Ulimits: s.inspectUlimits(o), VolumesFrom: o.VolumesFrom, Init: o.Init,
	}
	if m := c.IDMap; m != nil {
		h.IDMappings = &define.InspectIDMappings{UIDMap: mapTexts(m.UIDs), GIDMap: mapTexts(m.GIDs)}
	}
	h.Devices = append(h.Devices, o.Devices...)
	h.RestartPolicy.Name, h.RestartPolicy.MaximumRetryCount = o.Restart, o.RestartMax
	h.LogConfig.Type, h.LogConfig.Path, h.LogConfig.Tag = o.LogDriver, s.logPath(c), o.LogOptions["tag"]
	size, _ := logSize(o) // it was one when the container was made
	h.LogConfig.Size = units.HumanSize(float64(size))
	if o.DNS != nil {
		h.DNS = *o.DNS
	}
	if o.OOMScoreAdj != nil {
		h.OomScoreAdj = *o.OOMScoreAdj
	}
	base := s.Config.Containers.DefaultCapabilities.Values
	for _, name := range caps {
		if !slices.Contains(base, strings.TrimPrefix(name, "CAP_")) && !slices.Contains(base, name) {
			h.CapAdd = append(h.CapAdd, name)
		}
	}
	for _, name := range base {
		full := "CAP_" + strings.TrimPrefix(name, "CAP_")
		if !slices.Contains(caps, full) {
			h.CapDrop = append(h.CapDrop, full)
		}
	}
	for _, m := range o.Mounts {
		switch m.Type {
		case "bind":
			h.Binds = append(h.Binds, m.Source+":"+m.Dest+":"+strings.Join(ocispec.BindOptions(m.Options), ","))
		case "tmpfs":
			h.Tmpfs[m.Dest] = strings.Join(m.Options, ",")
		}
	}
	for _, v := range c.Volumes {
		h.Binds = append(h.Binds, v.Name+":"+v.Dest+":"+strings.Join(ocispec.BindOptions(v.Options), ","))
	}
	for _, text := range o.Ulimits {
		if l, err := ocispec.ParseUlimit(text); err == nil {
			h.Ulimits = append(h.Ulimits, define.InspectUlimit{Name: l.Type, Soft: l.Soft, Hard: l.Hard})
		}
	}
	return h
}

func mapTexts(list []define.IDRange) []string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = fmt.Sprintf("%d:%d:%d", r.ContainerID, r.HostID, r.Size)
	}
	return texts
}

func usernsMode(c *define.ContainerConfig) string {
	if c.IDMap == nil {
		return ""
	}
	return orElse(c.Options.UserNS, "private")
}

func (s *Service) inspectMounts(c *define.ContainerConfig) []define.InspectMount {
	list := []define.InspectMount{}
	add := func(m define.InspectMount, options []string) {
		m.RW = !slices.Contains(options, "ro")
		m.Options = []string{}
		for _, o := range options {
			switch {
			case strings.HasSuffix(o, "private"), strings.HasSuffix(o, "shared"), strings.HasSuffix(o, "slave"):
				m.Propagation = o
			case o != "rw" && o != "ro":
				m.Options = append(m.Options, o)
			}
		}
		list = append(list, m)
	}
	for _, m := range c.Options.Mounts {
		if m.Type == "bind" {
			add(define.InspectMount{Type: "bind", Source: m.Source, Destination: m.Dest}, ocispec.BindOptions(m.Options))
		}
	}
	for _, v := range c.Volumes {
		add(define.InspectMount{Type: "volume", Name: v.Name, Source: s.mountpoint(v.Name), Destination: v.Dest, Driver: "local"}, ocispec.VolumeOptions(v.Options))
	}
	return list
}

func bindings(ports []define.PortMapping) map[string][]define.InspectPort {
	out := map[string][]define.InspectPort{}
	for _, p := range ports {
		for i := range p.Range {
			key := fmt.Sprintf("%d/%s", p.ContainerPort+i, p.Protocol)
			out[key] = append(out[key], define.InspectPort{HostIP: p.HostIP, HostPort: fmt.Sprint(p.HostPort + i)})
		}
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func rest(list []string) []string {
	if len(list) < 2 {
		return []string{}
	}
	return list[1:]
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
