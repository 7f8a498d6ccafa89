package containers

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
)

// namespaceModes are the words of each kind besides host, private, container:NAME and ns:PATH.
var namespaceModes = map[string][]string{
	"ipc": {"shareable", "none"}, "pid": nil, "uts": nil, "cgroupns": nil,
}

// planNamespaces checks the modes and replaces names of containers in them by ids.
func (s *Service) planNamespaces(ctx context.Context, p *plan, _ *define.ImageConfig) error {
	o := &p.config.Options
	for _, k := range []struct {
		kind string
		mode *string
	}{{"ipc", &o.IPC}, {"pid", &o.PID}, {"uts", &o.UTS}, {"cgroupns", &o.CgroupNS}} {
		known := append([]string{"host", "private"}, namespaceModes[k.kind]...)
		if err := s.planMode(ctx, p, "--"+k.kind, k.mode, known); err != nil {
			return err
		}
	}
	switch o.Cgroups {
	case "", "enabled", "disabled":
	case "no-conmon", "split":
		return errs.NotBuilt("--cgroups=" + o.Cgroups)
	default:
		return errs.Invalid("--cgroups %q: enabled and disabled are there", o.Cgroups)
	}
	return nil
}

// planMode checks one mode; a container it names becomes something that the new one depends on.
func (s *Service) planMode(ctx context.Context, p *plan, flag string, mode *string, known []string) error {
	if ref, ok := strings.CutPrefix(*mode, "container:"); ok {
		row, err := s.State.Lookup(ctx, ref)
		if err != nil {
			return err
		}
		*mode = "container:" + row.Config.ID
		p.dependsOn = append(p.dependsOn, row.Config.ID)
		return nil
	}
	if path, ok := strings.CutPrefix(*mode, "ns:"); ok {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s %s: %w", flag, *mode, err)
		}
		return nil
	}
	if *mode != "" && !slices.Contains(known, *mode) {
		return errs.Invalid("%s %q: %s, container:NAME and ns:PATH are there%s", flag, *mode, strings.Join(known, ", "), errs.DidYouMean(*mode, known))
	}
	return nil
}

// procNames are the kinds of namespaces as /proc/PID/ns has them.
var procNames = map[string]string{"ipc": "ipc", "pid": "pid", "uts": "uts", "network": "net", "user": "user", "cgroup": "cgroup"}

// joined returns the paths of the namespaces that a container shares, by the runtime's names of the kinds. A container
// they belong to has to run.
func (s *Service) joined(ctx context.Context, c *define.ContainerConfig) (map[string]string, error) {
	o := &c.Options
	paths := map[string]string{}
	for kind, mode := range map[string]string{
		"ipc": o.IPC, "pid": o.PID, "uts": o.UTS, "cgroup": o.CgroupNS, "user": o.UserNS, "network": c.Network,
	} {
		if path, ok := strings.CutPrefix(mode, "ns:"); ok {
			paths[kind] = path
		}
		id, ok := strings.CutPrefix(mode, "container:")
		if !ok {
			continue
		}
		other, err := s.Lookup(ctx, id)
		if err != nil {
			return nil, err
		}
		if other.PID == 0 {
			return nil, errs.WithHint(errs.Conflict("container %q, whose %s namespace is asked for, does not run", other.Config.Name, kind),
				"hull start %s", other.Config.Name)
		}
		if kind == "user" && other.Config.IDMap == nil {
			continue // it has the engine's own
		}
		paths[kind] = fmt.Sprintf("/proc/%d/ns/%s", other.PID, procNames[kind])
	}
	return paths, nil
}

// shmOf returns the folder behind /dev/shm: the container's own, or that of the container whose ipc it shares.
func (s *Service) shmOf(c *define.ContainerConfig) string {
	switch mode := c.Options.IPC; {
	case strings.HasPrefix(mode, "container:"):
		return s.dir(strings.TrimPrefix(mode, "container:")) + "/shm"
	case mode == "host":
		return "/dev/shm"
	case mode == "" || mode == "shareable":
		return s.dir(c.ID) + "/shm"
	}
	return "" // a tmpfs that nobody else can mount
}

// networkModes are what --network takes here. Named networks and bridges are not built yet.
var networkModes = []string{"none", "host", "private", "slirp4netns", "pasta"}

func (s *Service) planNetwork(ctx context.Context, p *plan, image *define.ImageConfig) error {
	c, o := p.config, &p.config.Options
	if len(o.Network) > 1 {
		return errs.NotBuilt("more than one --network")
	}
	mode := ""
	if len(o.Network) == 1 {
		mode = o.Network[0]
	}
	c.Expose = slices.Concat(image.ExposedPorts, o.Expose)
	name, _, _ := strings.Cut(mode, ":")
	switch {
	case name == "bridge" || mode == "default":
		return errs.WithHint(errs.NotBuilt("--network="+mode), "--network=private takes the uplink that is installed")
	case mode == "" || mode == "private":
		uplink, err := netns.Uplink(os.Geteuid() == 0 && s.Root, s.Config.Network.DefaultRootlessCmd)
		if err != nil {
			return err
		}
		mode = uplink
	case name == "slirp4netns" || name == "pasta":
		if err := netns.CheckUplink(mode); err != nil {
			return err
		}
	default:
		if err := s.planMode(ctx, p, "--network", &mode, networkModes); err != nil {
			return errs.WithHint(err, "named networks are not built yet")
		}
	}
	c.Network = mode
	return s.planPorts(c, o)
}

func (s *Service) planPorts(c *define.ContainerConfig, o *define.CreateOptions) error {
	ports, err := netns.ParsePorts(o.Publish)
	if err != nil {
		return err
	}
	if o.PublishAll {
		for _, text := range c.Expose {
			more, err := netns.ExposePort(text)
			if err != nil {
				return err
			}
			ports = append(ports, more...)
		}
	}
	for _, p := range ports {
		c.Ports = append(c.Ports, define.PortMapping{HostIP: p.HostIP, ContainerPort: p.Container, HostPort: p.Host, Range: p.Count, Protocol: p.Protocol})
	}
	if len(c.Ports) > 0 && !hasUplink(c.Network) && c.Network != "host" {
		return errs.Invalid("ports cannot be published with --network=%s: nothing leads there from the host", c.Network)
	}
	return nil
}

func hasUplink(mode string) bool {
	name, _, _ := strings.Cut(mode, ":")
	return name == "slirp4netns" || name == "pasta"
}

// openNetwork makes the network namespace of a container with an uplink and starts the uplink in it; run remembers both
// before they are there.
func (s *Service) openNetwork(ctx context.Context, c *locked, run *state.Run) error {
	if !hasUplink(c.Config.Network) {
		return nil
	}
	run.NetNS = s.netnsPath(c.id())
	if err := s.State.PutRun(ctx, run); err != nil {
		return err
	}
	if err := s.createNetNS(c, run.NetNS); err != nil {
		return err
	}
	ports := make([]netns.Port, 0, len(c.Config.Ports))
	for _, p := range c.Config.Ports {
		ports = append(ports, netns.Port{HostIP: p.HostIP, Container: p.ContainerPort, Host: p.HostPort, Count: p.Range, Protocol: p.Protocol})
	}
	up, err := netns.Start(ctx, netns.Request{Mode: s.uplinkMode(c.Config.Network), Path: run.NetNS, Dir: s.dir(c.id()), Ports: ports})
	if err != nil {
		return err
	}
	run.Helpers = []state.Process{{PID: up.PID, Start: up.Start}}
	run.IPs = up.IPs
	run.DNS = up.DNS
	return s.State.PutRun(ctx, run)
}

// createNetNS makes the network namespace, with the user namespace that owns it where the container has one of its own.
func (s *Service) createNetNS(c *locked, path string) error {
	m := c.Config.IDMap
	switch mode, _, _ := strings.Cut(c.Config.Options.UserNS, ":"); {
	case mode == "container" || mode == "ns":
		return errs.NotBuilt("--userns=" + mode + " with --network=" + c.Config.Network)
	case m == nil:
		return netns.Create(path)
	}
	return netns.CreateOwned(path, s.usernsPath(c.id()), sysProcMap(m.UIDs), sysProcMap(m.GIDs))
}

func sysProcMap(ranges []define.IDRange) []syscall.SysProcIDMap {
	list := make([]syscall.SysProcIDMap, len(ranges))
	for i, r := range ranges {
		list[i] = syscall.SysProcIDMap{ContainerID: r.ContainerID, HostID: r.HostID, Size: r.Size}
	}
	return list
}

// uplinkMode is the mode with the configuration's options where it has none (containers.conf(5), pasta_options).
func (s *Service) uplinkMode(mode string) string {
	if options := s.Config.Network.PastaOptions.Values; mode == "pasta" && len(options) > 0 {
		return mode + ":" + strings.Join(options, ",")
	}
	return mode
}
