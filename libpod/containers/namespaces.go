package containers

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
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
		if theirs := row.Config.Options.IPC; flag == "--ipc" && (theirs == "private" || theirs == "none") {
			return errs.WithHint(errs.Conflict("the ipc namespace of container %q cannot be shared: it is %s", row.Config.Name, theirs),
				"make it with --ipc=shareable")
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
		path, err := s.joinedPath(ctx, kind, mode)
		if err != nil {
			return nil, err
		}
		if path != "" {
			paths[kind] = path
		}
	}
	return paths, nil
}

// joinedPath is where the namespace of a kind is that a mode shares, or "".
func (s *Service) joinedPath(ctx context.Context, kind, mode string) (string, error) {
	if path, ok := strings.CutPrefix(mode, "ns:"); ok {
		return path, nil
	}
	other, err := s.sharer(ctx, mode)
	if err != nil || other == nil {
		return "", err
	}
	if other.PID == 0 {
		return "", errs.WithHint(errs.Conflict("container %q, whose %s namespace is asked for, does not run", other.Config.Name, kind),
			"hull start %s", other.Config.Name)
	}
	if kind == "user" && other.Config.IDMap == nil {
		return "", nil // it has the engine's own
	}
	return fmt.Sprintf("/proc/%d/ns/%s", other.PID, procNames[kind]), nil
}

// sharer is the container whose namespace a mode shares, or nil.
func (s *Service) sharer(ctx context.Context, mode string) (*define.Container, error) {
	id, ok := strings.CutPrefix(mode, "container:")
	if !ok {
		return nil, nil //nolint:nilnil // it is nobody's
	}
	return s.Lookup(ctx, id)
}
