package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/filter"
	"hull.dev/hull/pkg/network/names"
	"hull.dev/hull/pkg/network/ports"
	"hull.dev/hull/pkg/network/wire"
)

// attach puts a container on its networks. One that is attached already, by an attach whose answer was lost, is taken off
// first.
func (s *Server) attach(ctx context.Context, a *network.Attachment) (*wire.Answer, error) {
	if a == nil || a.ID == "" || a.ID != filepath.Base(a.ID) {
		return nil, errs.Invalid("attach: no container is named")
	}
	if err := s.detach(a.ID); err != nil {
		return nil, err
	}
	if err := canPublish(a); err != nil {
		return nil, err
	}
	s.awaitLeft(a)
	if err := s.choose(a); err != nil {
		return nil, err
	}
	if err := s.record(a); err != nil {
		return nil, err
	}
	failpoint.Hit("attach/recorded")
	s.attached[a.ID] = a
	err := s.make(ctx, a)
	if err == nil {
		err = s.awaitWay(ctx, a)
	}
	if err == nil {
		failpoint.Hit("attach/made")
		return &wire.Answer{Attachment: a}, nil
	}
	if s.attached[a.ID] == a {
		err = errors.Join(err, s.detach(a.ID))
	}
	return nil, err
}

// awaitWay waits until there is a way out, if the container is to have one.
func (s *Server) awaitWay(ctx context.Context, a *network.Attachment) error {
	if !s.needsWayOut(a) {
		return nil
	}
	return s.unlocked(func() error { return s.way.wait(ctx) })
}

// record writes what is about to be made.
func (s *Server) record(a *network.Attachment) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path(wire.Attachments), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteVolatile(filepath.Join(s.path(wire.Attachments), a.ID), data)
}

// make makes what an attachment says, or what is missing of it. The way out comes up beside that.
func (s *Server) make(ctx context.Context, a *network.Attachment) error {
	if s.needsWayOut(a) {
		s.way.begin(ctx)
	}
	if err := s.makeNetworks(ctx, a); err != nil {
		return err
	}
	failpoint.Hit("attach/networks")
	routed := map[bool]bool{} // families that have a default route
	for i := range a.Joins {
		j := &a.Joins[i]
		if lent(&j.Network) {
			if err := s.takeLease(ctx, a, j); err != nil {
				return err
			}
		}
		if err := s.links.Join(a.ID, a.NetNS, j, defaultRoutes(j, routed)); err != nil {
			return err
		}
		failpoint.Hit("attach/link")
		if !j.Network.Owned() {
			continue
		}
		m, err := member(a.ID, j)
		if err != nil {
			return err
		}
		if err := s.table.Add(a.ID+" "+j.Network.ID, m); err != nil {
			return err
		}
	}
	failpoint.Hit("attach/links")
	s.names.SetHost(host(a))
	if err := s.setPorts(a); err != nil {
		return err
	}
	failpoint.Hit("attach/ports")
	return nil
}

// defaultRoutes drops the gateways of families whose default route leads over an earlier network.
func defaultRoutes(j *network.Join, routed map[bool]bool) []netip.Addr {
	if j.Network.Internal || j.Network.NoDefaultRoute() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(j.Gateways), func(g netip.Addr) bool {
		had := routed[g.Is6()]
		routed[g.Is6()] = true
		return had
	})
}

func (s *Server) needsWayOut(a *network.Attachment) bool {
	return !s.options.Root && slices.ContainsFunc(a.Joins, func(j network.Join) bool { return !j.Network.Internal })
}

// makeNetworks makes the bridges that are not there yet, with their rules and name servers.
func (s *Server) makeNetworks(ctx context.Context, a *network.Attachment) error {
	fresh := false
	for i := range a.Joins {
		n := &a.Joins[i].Network
		u := s.use(n)
		if u.made {
			continue
		}
		if err := s.links.Ensure(n); err != nil {
			return err
		}
		u.network, u.made, fresh = *n, true, true
		if err := s.setZone(ctx, n); err != nil {
			return err
		}
	}
	if !fresh {
		return nil
	}
	return s.table.SetNetworks(s.inUse())
}

func (s *Server) inUse() []network.Network {
	var list []network.Network
	for _, u := range s.networks {
		if u.made && u.network.Owned() {
			list = append(list, u.network)
		}
	}
	return list
}

// setZone has the name server listen on the gateways of a network. As root one without names has the host's servers.
func (s *Server) setZone(ctx context.Context, n *network.Network) error {
	if !n.Owned() || s.options.Root && !n.DNS {
		return nil
	}
	z := names.Zone{Name: n.ID, Names: n.DNS, Forward: !n.Internal}
	for _, subnet := range n.Subnets {
		z.Subnets = append(z.Subnets, subnet.Prefix)
		if !subnet.Gateway.IsValid() {
			continue
		}
		z.Listen = append(z.Listen, subnet.Gateway)
		delete(s.devices, subnet.Gateway)
		if n.VRF() != "" {
			s.devices[subnet.Gateway] = n.Interface
		}
	}
	for _, server := range n.DNSServers {
		z.Servers = append(z.Servers, netip.AddrPortFrom(server, 53))
	}
	if err := s.names.SetZone(ctx, z); err != nil {
		return fmt.Errorf("name server of network %s: %w", n.Name, err)
	}
	return nil
}

// member is what the rules know of a join.
func member(id string, j *network.Join) (filter.Member, error) {
	mac, err := net.ParseMAC(j.MAC)
	if err != nil {
		return filter.Member{}, err
	}
	m := filter.Member{HostEnd: bridge.HostEnd(id, j), MAC: mac, Free: len(j.Given) == 0, VRF: j.Network.VRF()}
	for _, g := range j.Given {
		m.Addresses = append(m.Addresses, g.Addr())
	}
	return m, nil
}

// host is what the name server knows of an attachment.
func host(a *network.Attachment) names.Host {
	h := names.Host{ID: a.ID, Names: []string{a.Name, a.ID[:min(12, len(a.ID))]}, Addrs: map[string][]netip.Addr{}, Aliases: map[string][]string{}}
	if a.Hostname != "" {
		h.Names = append(h.Names, a.Hostname)
	}
	for _, j := range a.Joins {
		for _, g := range j.Given {
			h.Addrs[j.Network.ID] = append(h.Addrs[j.Network.ID], g.Addr())
		}
		h.Aliases[j.Network.ID] = j.Aliases
	}
	for _, server := range a.DNS {
		if ip, err := netip.ParseAddr(server); err == nil {
			h.Servers = append(h.Servers, netip.AddrPortFrom(ip, 53))
		}
	}
	return h
}

// target is where published ports lead to: the addresses on the first network of hull's own that has some, of those over which a default
// route goes if there are any.
func target(a *network.Attachment) ports.Target {
	t := ports.Target{ID: a.ID, Name: a.Name, NetNS: a.NetNS, Ports: a.Ports, NoReturn: true}
	for i := range a.Joins {
		j := &a.Joins[i]
		v4, v6 := addresses(j)
		noReturn := len(defaultRoutes(j, map[bool]bool{})) == 0
		first := !t.V4.IsValid() && !t.V6.IsValid()
		if j.Network.Owned() && (v4.IsValid() || v6.IsValid()) && (first || t.NoReturn && !noReturn) {
			t.V4, t.V6, t.Gateways, t.NoReturn = v4, v6, j.Gateways, noReturn
		}
	}
	return t
}

// addresses are the first of each family that a container was given on a network.
func addresses(j *network.Join) (v4, v6 netip.Prefix) {
	for _, g := range j.Given {
		if g.Addr().Is4() && !v4.IsValid() {
			v4 = g
		} else if g.Addr().Is6() && !v6.IsValid() {
			v6 = g
		}
	}
	return v4, v6
}

// canPublish refuses ports where no network of the container's has them.
func canPublish(a *network.Attachment) error {
	published := func(j network.Join) bool { return j.Network.Owned() && len(j.Network.Subnets) > 0 }
	if len(a.Ports) == 0 || len(a.Joins) == 0 || slices.ContainsFunc(a.Joins, published) {
		return nil
	}
	return errs.WithHint(errs.Invalid("network %s publishes no ports: hull knows of no address that they could lead to", a.Joins[0].Network.Name),
		"leave --publish out, or add a network that is a bridge of hull's own")
}

// setPorts publishes what the attachment says: by sockets of this process, and as root by the kernel, which leaves to the
// sockets what comes from the host itself by a loopback address, and all that goes to containers without a way back.
func (s *Server) setPorts(a *network.Attachment) error {
	t := target(a)
	if !s.options.Root {
		return s.ports.Set(t)
	}
	sctp := func(p network.Port) bool { return p.Protocol == "sctp" }
	byKernel := t.Ports
	if t.NoReturn {
		byKernel = slices.DeleteFunc(slices.Clone(byKernel), func(p network.Port) bool { return !sctp(p) })
	}
	rules := forwards(byKernel, t.V4.Addr(), t.V6.Addr())
	t.NoReturn = true // to the sockets
	t.Ports = slices.DeleteFunc(slices.Clone(t.Ports), sctp)
	if err := s.ports.Set(t); err != nil {
		return err
	}
	return s.table.SetForwards(a.ID, rules)
}

// detach takes a container off its networks. When it returns nobody finds the container by name or port any more. Its links
// go behind that: the kernel takes its time for them, in which others are served. Until then the addresses stay the container's.
func (s *Server) detach(id string) error {
	a := s.attached[id]
	if a == nil || s.leaving[id] {
		return nil
	}
	s.names.RemoveHost(id)
	s.ports.Remove(id)
	if err := s.table.SetForwards(id, nil); err != nil {
		return err
	}
	failpoint.Hit("detach/names")
	if err := s.recordLeaving(id); err != nil {
		return err
	}
	failpoint.Hit("detach/leaving")
	s.leaving[id] = true
	s.work.Go(func() { s.leave(a) })
	return nil
}

// recordLeaving writes that a container is off its networks and its links are not yet gone.
func (s *Server) recordLeaving(id string) error {
	if err := os.MkdirAll(s.path(wire.Leaving), 0o700); err != nil {
		return err
	}
	err := os.Rename(filepath.Join(s.path(wire.Attachments), id), filepath.Join(s.path(wire.Leaving), id))
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was recorded so before
	}
	return err
}

// leave is the rest of detach. What cannot be taken away is left to reload and to the next hull-net.
func (s *Server) leave(a *network.Attachment) {
	var err error
	for i := range a.Joins {
		s.giveLease(a, &a.Joins[i])
		err = errors.Join(err, s.links.Leave(a.ID, a.NetNS, &a.Joins[i]))
	}
	failpoint.Hit("detach/links")
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range a.Joins {
		err = errors.Join(err, s.table.Remove(a.ID+" "+a.Joins[i].Network.ID))
	}
	if removed := os.Remove(filepath.Join(s.path(wire.Leaving), a.ID)); !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	failpoint.Hit("detach/recorded")
	delete(s.leaving, a.ID)
	delete(s.attached, a.ID)
	if err = errors.Join(err, s.dropUnused()); err != nil {
		s.say(fmt.Sprintf("container %s leaves: %v", a.Name, err))
	}
	s.left.Broadcast()
	s.rest()
}

// mayLeave reports whether a container that is leaving needs no wait: the next hull-net is started if this one dies meanwhile,
// and nothing is given back from within the container's namespace, which may be gone by then.
func (s *Server) mayLeave(id string) bool {
	return s.way.guards() && !slices.ContainsFunc(s.attached[id].Joins, func(j network.Join) bool {
		return lent(&j.Network) || j.Network.Driver != network.DriverBridge
	})
}

// awaitLeft waits while the container itself is still leaving, or another that is in its way. The lock is given up meanwhile.
func (s *Server) awaitLeft(a *network.Attachment) {
	for s.inTheWay(a) {
		s.left.Wait()
	}
}

// inTheWay reports whether a container that is leaving still has what another is to get: an address that it asks for, or
// the bridge or subnet of a network that has come in the place of one that was removed.
func (s *Server) inTheWay(a *network.Attachment) bool {
	for id := range s.leaving {
		if id == a.ID {
			return true
		}
		for _, old := range s.attached[id].Joins {
			for _, j := range a.Joins {
				if old.Network.ID != j.Network.ID && clash(&old.Network, &j.Network) || old.Network.ID == j.Network.ID && asks(j.IPs, old.Given) {
					return true
				}
			}
		}
	}
	return false
}

func clash(a, b *network.Network) bool {
	return a.Interface == b.Interface || slices.ContainsFunc(a.Subnets, func(x network.Subnet) bool {
		return slices.ContainsFunc(b.Subnets, func(y network.Subnet) bool { return x.Prefix.Overlaps(y.Prefix) })
	})
}

func asks(ips []netip.Addr, given []netip.Prefix) bool {
	return slices.ContainsFunc(given, func(g netip.Prefix) bool { return slices.Contains(ips, g.Addr()) })
}

// dropUnused takes the networks away that no container is on any more.
func (s *Server) dropUnused() error {
	used := map[string]bool{}
	for _, a := range s.attached {
		for _, j := range a.Joins {
			used[j.Network.ID] = true
		}
	}
	gone := false
	for id, u := range s.networks {
		if used[id] || !u.made {
			continue
		}
		s.names.RemoveZone(id)
		if err := s.links.Remove(&u.network); err != nil {
			return err
		}
		u.made, gone = false, true
	}
	if !gone {
		return nil
	}
	return s.table.SetNetworks(s.inUse())
}
