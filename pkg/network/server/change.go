package server

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/filter"
	"hull.dev/hull/pkg/network/ports"
	"hull.dev/hull/pkg/network/wire"
)

func (s *Server) lookup(id string) (*network.Attachment, error) {
	a := s.attached[id]
	if a == nil || s.leaving[id] {
		return nil, errs.NotFound("container %s is on no network of hull-net", id[:min(12, len(id))])
	}
	return a, nil
}

// connect puts a container that is attached on one more network.
func (s *Server) connect(ctx context.Context, id string, j *network.Join) (*wire.Answer, error) {
	s.awaitLeft(&network.Attachment{Joins: []network.Join{*j}})
	a, err := s.lookup(id)
	if err != nil {
		return nil, err
	}
	if i := joinOf(a, j.Network.ID); i >= 0 { // asked again
		return &wire.Answer{Attachment: a}, nil
	}
	next := *a
	next.Joins = append(slices.Clone(a.Joins), *j)
	if err := s.chooseJoin(&next, &next.Joins[len(next.Joins)-1]); err != nil {
		return nil, err
	}
	if err := s.record(&next); err != nil {
		return nil, err
	}
	failpoint.Hit("connect/recorded")
	s.attached[id] = &next
	err = s.make(ctx, &next)
	if err == nil {
		err = s.awaitWay(ctx, &next)
	}
	if err == nil {
		return &wire.Answer{Attachment: &next}, nil
	}
	if s.attached[id] == &next {
		_, undo := s.disconnect(id, &j.Network)
		err = errors.Join(err, undo)
	}
	return nil, err
}

// disconnect takes a container off one of its networks. One that it is not on is fine.
func (s *Server) disconnect(id string, n *network.Network) (*wire.Answer, error) {
	a, err := s.lookup(id)
	if err != nil {
		return nil, err
	}
	i := joinOf(a, n.ID)
	if i < 0 {
		return &wire.Answer{Attachment: a}, nil
	}
	left := a.Joins[i]
	next := *a
	next.Joins = slices.Delete(slices.Clone(a.Joins), i, i+1)
	s.giveLease(a, &left)
	if err := errors.Join(s.links.Leave(id, a.NetNS, &left), s.table.Remove(id+" "+n.ID)); err != nil {
		return nil, err
	}
	failpoint.Hit("disconnect/link")
	if err := s.record(&next); err != nil {
		return nil, err
	}
	s.attached[id] = &next
	s.names.SetHost(host(&next))
	if err := s.setPorts(&next); err != nil {
		return nil, err
	}
	return &wire.Answer{Attachment: &next}, s.dropUnused()
}

func joinOf(a *network.Attachment, networkID string) int {
	return slices.IndexFunc(a.Joins, func(j network.Join) bool { return j.Network.ID == networkID })
}

// publish replaces the ports of a container.
func (s *Server) publish(id string, list []network.Port) (*wire.Answer, error) {
	a, err := s.lookup(id)
	if err != nil {
		return nil, err
	}
	next := *a
	next.Ports = list
	if err := canPublish(&next); err != nil {
		return nil, err
	}
	if err := s.setPorts(&next); err != nil {
		return nil, err
	}
	failpoint.Hit("publish/set")
	if err := s.record(&next); err != nil {
		return nil, errors.Join(err, s.setPorts(a))
	}
	s.attached[id] = &next
	return &wire.Answer{Attachment: &next}, nil
}

// change takes the new definition of a network over: what may change while containers are on it are its name servers.
func (s *Server) change(ctx context.Context, n *network.Network) error {
	u := s.networks[n.ID]
	if u == nil || !u.made {
		return nil
	}
	for id, a := range s.attached {
		if i := joinOf(a, n.ID); i >= 0 && !s.leaving[id] {
			a.Joins[i].Network.DNSServers = n.DNSServers
			if err := s.record(a); err != nil {
				return err
			}
		}
	}
	u.network.DNSServers = n.DNSServers
	return s.setZone(ctx, &u.network)
}

// reload makes links and rules anew that another program has taken away, of one container or of all.
func (s *Server) reload(ctx context.Context, id string) error {
	if id != "" {
		if _, err := s.lookup(id); err != nil {
			return err
		}
	}
	for _, u := range s.networks {
		if u.made {
			if err := s.links.Ensure(&u.network); err != nil {
				return err
			}
		}
	}
	if err := s.table.Apply(); err != nil {
		return err
	}
	if !s.options.Root {
		if err := ports.Prepare(s.inside); err != nil {
			return err
		}
	}
	for other, a := range s.attached {
		if (id == "" || id == other) && !s.leaving[other] {
			if err := s.make(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// forwards are the published ports as the kernel's rules have them.
func forwards(list []network.Port, v4, v6 netip.Addr) []filter.Forward {
	protocols := map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP}
	var all []filter.Forward
	for _, p := range list {
		for i := range p.Count {
			for _, to := range []netip.Addr{v4, v6} {
				if !to.IsValid() || p.HostIP.IsValid() && p.HostIP.Is4() != to.Is4() {
					continue
				}
				all = append(all, filter.Forward{
					Protocol: protocols[p.Protocol], HostIP: p.HostIP, HostPort: p.Host + i, To: netip.AddrPortFrom(to, p.Container+i),
				})
			}
		}
	}
	return all
}
