package containers

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
)

// Connections changes what containers are on and what leads to them from the host, whether they run or not.
type Connections struct{ Containers *Service }

// Connect puts a container on a network. One that runs has the interface, and its names, when this returns.
func (s Connections) Connect(ctx context.Context, ref string, j define.Join) error {
	n, err := s.Containers.Networks.Resolve(ctx, j.Network)
	if err != nil {
		return err
	}
	j.Network, j.NetworkID = n.Name, n.ID
	if err := suits(&n, &j); err != nil {
		return err
	}
	release, err := s.Containers.Networks.Hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	return s.change(ctx, ref, "network connect", func(c *locked) (*wire.Request, error) {
		if slices.ContainsFunc(c.Config.Joins, func(o define.Join) bool { return o.NetworkID == n.ID }) {
			return nil, errs.Conflict("container %q is on network %s already", c.Config.Name, n.Name)
		}
		join, err := s.Containers.join(ctx, &j)
		if err != nil {
			return nil, err
		}
		c.Config.Joins = append(c.Config.Joins, j)
		return &wire.Request{Op: wire.Connect, Join: &join}, nil
	})
}

// Disconnect takes a container off a network. With force a container or a network that is not there is fine.
func (s Connections) Disconnect(ctx context.Context, ref, name string, force bool) error {
	err := s.change(ctx, ref, "network disconnect", func(c *locked) (*wire.Request, error) {
		id := name
		if n, err := s.Containers.Networks.Resolve(ctx, name); err == nil {
			id = n.ID
		}
		i := slices.IndexFunc(c.Config.Joins, func(o define.Join) bool { return o.NetworkID == id || o.Network == name })
		if i < 0 {
			return nil, errs.NotFound("container %q is not on a network %q", c.Config.Name, name)
		}
		j := c.Config.Joins[i]
		c.Config.Joins = slices.Delete(slices.Clone(c.Config.Joins), i, i+1)
		return &wire.Request{Op: wire.Disconnect, Network: &network.Network{ID: j.NetworkID, Name: j.Network}}, nil
	})
	if force && isNotFound(err) {
		return nil
	}
	return err
}

// Publish opens ports of a container that may run and closes others; unpublish are those ports of the host that are closed,
// as PORT[/PROTOCOL].
func (s Connections) Publish(ctx context.Context, ref string, publish, unpublish []string) error {
	more, err := network.ParsePorts(publish)
	if err != nil {
		return err
	}
	return s.change(ctx, ref, "update", func(c *locked) (*wire.Request, error) {
		for _, text := range unpublish {
			left, err := without(c.Config.Ports, text)
			if err != nil {
				return nil, errs.WithHint(err, "hull port %s lists its ports", c.Config.Name)
			}
			c.Config.Ports = left
		}
		for _, p := range more {
			if p.Protocol == "sctp" && !s.Containers.Root {
				return nil, errs.Invalid("sctp ports need root")
			}
			c.Config.Ports = append(slices.Clip(c.Config.Ports), mapping(p))
		}
		return &wire.Request{Op: wire.Ports, Ports: portsOf(&c.Config)}, nil
	})
}

// without is a list of ports without that one of the host.
func without(list []define.PortMapping, text string) ([]define.PortMapping, error) {
	ports, err := network.ParsePorts([]string{text})
	if err != nil || strings.Contains(text, ":") {
		return nil, errs.Invalid("%q is no port of the host: write PORT[-PORT] or PORT/udp", text)
	}
	p := ports[0]
	p.Host = p.Container // the port that is written is the host's
	i := slices.IndexFunc(list, func(m define.PortMapping) bool {
		return m.HostPort == p.Host && m.Range == p.Count && m.Protocol == p.Protocol
	})
	if i < 0 {
		return nil, errs.NotFound("port %s of the host is not published", text)
	}
	return slices.Delete(slices.Clone(list), i, i+1), nil
}

// change writes a container's new config down, and has hull-net carry it out where the container is attached. What
// hull-net refuses is taken back. A hull that dies in between leaves the new config, which the next start carries out.
func (s Connections) change(ctx context.Context, ref, event string, plan func(*locked) (*wire.Request, error)) error {
	e := s.Containers
	return e.withLocked(ctx, ref, func(c *locked) error {
		before := c.Config
		if c.Config.Network != bridgeMode {
			return errs.WithHint(errs.Conflict("container %q has --network=%s", c.Config.Name, c.Config.Network),
				"only what runs on networks can be changed so: make it anew with --network NAME")
		}
		request, err := plan(c)
		if err != nil {
			return err
		}
		request.ID = c.id()
		if err := e.State.UpdateContainer(ctx, &c.Config, state.IntentNone); err != nil {
			return err
		}
		failpoint.Hit("connect/written")
		if c.run == nil || !e.Net.Attached(c.id()) {
			e.event(&c.Config, event, nil)
			return nil
		}
		answer, err := e.Net.Ask(ctx, *request)
		if err != nil {
			return errors.Join(err, e.State.UpdateContainer(ctx, &before, state.IntentNone))
		}
		failpoint.Hit("connect/done")
		setJoined(c.run, answer.Attachment)
		if err := e.State.PutRun(ctx, c.run); err != nil {
			return err
		}
		e.event(&c.Config, event, nil)
		return e.rewriteHosts(c)
	})
}

// Reload has hull-net make the links and rules of a container anew, after another program has taken them away.
func (s Connections) Reload(ctx context.Context, ref string) (id string, err error) {
	e := s.Containers
	err = e.withLocked(ctx, ref, func(c *locked) error {
		id = c.id()
		if c.run == nil || !e.Net.Attached(c.id()) {
			return nil
		}
		_, err := e.Net.Ask(ctx, wire.Request{Op: wire.Reload, ID: c.id()})
		return err
	})
	return id, err
}

// rewriteHosts gives /etc/hosts and /etc/resolv.conf of a running container the addresses that it has now. The files are
// mounted inside, so they are written in place.
func (s *Service) rewriteHosts(c *locked) error {
	write := func(inside, content string, _ os.FileMode) error {
		path := s.insideFile(c.id(), inside)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil // --no-hosts
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString(content)
		return errors.Join(err, f.Close())
	}
	return s.writeNames(c, c.run.Mount, write)
}
