package containers

import (
	"context"
	"net/netip"
	"strings"
	"syscall"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/netns/owned"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/uplink"
	"hull.dev/hull/pkg/network/wire"
)

// opening is the network of a container that comes up beside what else a start does; nil where there is none to open.
type opening struct {
	done chan struct{}
	tell func(*state.Run) // writes down what the container has got
	err  error
}

// openNetwork begins to make the network namespace of a container that has one of its own with a way out, and what leads
// there: its networks, or an uplink for itself. run remembers the namespace already. The opening must be waited for.
func (s *Service) openNetwork(ctx context.Context, c *locked, run *state.Run) *opening {
	if run.NetNS == "" {
		return nil // there is nothing to wait for
	}
	path := run.NetNS
	open := s.openUplink
	if c.Config.Network == bridgeMode {
		open = s.attach
	}
	o := &opening{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		if o.err = s.createNetNS(ctx, c, path); o.err == nil {
			o.tell, o.err = open(ctx, c, path)
		}
	}()
	return o
}

// opensNetwork reports whether a container has a network namespace of its own with a way out.
func opensNetwork(c *define.ContainerConfig) bool {
	return c.Network == bridgeMode || hasUplink(c.Network)
}

// ownedByEngine reports whether the container's network namespace is one of the engine's user namespace. With "auto" the ids are
// not yet known.
func ownedByEngine(c *define.ContainerConfig) bool {
	mode, _, _ := strings.Cut(c.Options.UserNS, ":")
	return c.IDMap == nil && mode != "container" && mode != "ns" && mode != "auto"
}

// wait returns when the network is there, or why it is not.
func (o *opening) wait() error {
	if o == nil {
		return nil
	}
	<-o.done
	return o.err
}

// settle waits for the network and writes down what the container has got.
func (s *Service) settle(ctx context.Context, o *opening, run *state.Run) error {
	if err := o.wait(); err != nil || o == nil {
		return err
	}
	o.tell(run)
	return s.State.PutRun(ctx, run)
}

func (s *Service) openUplink(ctx context.Context, c *locked, path string) (func(*state.Run), error) {
	up, err := uplink.Start(ctx, uplink.Request{Mode: s.uplinkMode(c.Config.Network), Path: path, Dir: s.dir(c.id()), Ports: portsOf(&c.Config)})
	if err != nil {
		return nil, err
	}
	return func(run *state.Run) {
		run.Helpers = []state.Process{{PID: up.PID, Start: up.Start}}
		run.IPs, run.DNS = up.IPs, up.DNS
	}, nil
}

// attach has hull-net put the container on its networks.
func (s *Service) attach(ctx context.Context, c *locked, path string) (func(*state.Run), error) {
	a := &network.Attachment{ID: c.id(), Name: c.Config.Name, NetNS: path, Ports: portsOf(&c.Config)}
	if o := &c.Config.Options; o.UTS != "host" {
		a.Hostname = c.Config.Hostname
	}
	if o := &c.Config.Options; o.DNS != nil {
		a.DNS = *o.DNS
	}
	for i := range c.Config.Joins {
		j, err := s.join(ctx, &c.Config.Joins[i])
		if err != nil {
			return nil, err
		}
		a.Joins = append(a.Joins, j)
	}
	answer, err := s.Net.Ask(ctx, wire.Request{Op: wire.Attach, Attachment: a})
	if err != nil {
		return nil, err
	}
	return func(run *state.Run) { setJoined(run, answer.Attachment) }, nil
}

// setJoined writes down what a container has got.
func setJoined(run *state.Run, a *network.Attachment) {
	run.Joins, run.IPs, run.DNS = a.Joins, nil, nil
	for _, j := range a.Joins {
		for _, g := range j.Given {
			run.IPs = append(run.IPs, g.Addr().String())
		}
		for _, server := range j.Servers {
			run.DNS = append(run.DNS, server.String())
		}
	}
}

func networksOf(list []network.Join) []define.Joined {
	out := make([]define.Joined, 0, len(list))
	for _, j := range list {
		d := define.Joined{Network: j.Network.Name, NetworkID: j.Network.ID, Interface: j.Interface, MAC: j.MAC, Aliases: j.Aliases}
		for _, g := range j.Given {
			d.Addresses = append(d.Addresses, g.String())
		}
		for _, g := range j.Gateways {
			d.Gateways = append(d.Gateways, g.String())
		}
		out = append(out, d)
	}
	return out
}

// join is a network as the container asked for it, with the definition that it has now.
func (s *Service) join(ctx context.Context, j *define.Join) (network.Join, error) {
	n, err := s.Networks.Use(ctx, j.Network)
	if err != nil {
		return network.Join{}, errs.WithHint(err, "hull network disconnect takes the container off network %s", j.Network)
	}
	out := network.Join{Network: n, Interface: j.Interface, MAC: j.MAC, Aliases: j.Aliases}
	if j.HostInterface != "" {
		out.Options = map[string]string{network.OptionHostInterface: j.HostInterface}
	}
	for _, text := range j.IPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return out, err
		}
		out.IPs = append(out.IPs, ip)
	}
	return out, nil
}

// detach takes a container off its networks; one that is on none costs a look at a file.
func (s *Service) detach(ctx context.Context, c *locked) error {
	if c.Config.Network != bridgeMode || !s.Net.Attached(c.id()) {
		return nil
	}
	_, err := s.Net.Ask(ctx, wire.Request{Op: wire.Detach, ID: c.id()})
	return err
}

// createNetNS makes the network namespace, with the user namespace that owns it where the container has one of its own, or within
// that which it joins.
func (s *Service) createNetNS(ctx context.Context, c *locked, path string) error {
	if l := c.launch; l != nil && l.netns != nil {
		return l.netns.Mount(path)
	}
	m := c.Config.IDMap
	joined, err := s.joinedPath(ctx, "user", c.Config.Options.UserNS)
	switch {
	case err != nil:
		return err
	case joined != "":
		return owned.CreateIn(path, joined)
	case m != nil:
		return owned.Create(path, s.usernsPath(c.id()), sysProcMap(m.UIDs), sysProcMap(m.GIDs))
	}
	return netns.Create(path)
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
