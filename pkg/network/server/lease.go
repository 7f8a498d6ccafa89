package server

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/lease"
)

// lent reports whether a DHCP server gives the network's addresses.
func lent(n *network.Network) bool { return n.IPAM[network.IPAMDriver] == network.IPAMDHCP }

// unlent reports whether a container was being attached, and its server had not yet answered.
func unlent(a *network.Attachment) bool {
	return slices.ContainsFunc(a.Joins, func(j network.Join) bool { return lent(&j.Network) && len(j.Given) == 0 })
}

func leaseKey(a *network.Attachment, n *network.Network) string { return a.ID + " " + n.ID }

// takeLease has a join's addresses lent: the interface is there without one before its server is asked, which others do not
// wait for. After a death of hull-net the container keeps what it had.
func (s *Server) takeLease(ctx context.Context, a *network.Attachment, j *network.Join) error {
	if err := s.links.Join(a.ID, a.NetNS, j, nil); err != nil {
		return err
	}
	r := lease.Request{Path: a.NetNS, Interface: j.Interface, Hostname: a.Hostname}
	id, networkID := a.ID, j.Network.ID // j is part of a list that moves
	r.Changed = func(ctx context.Context) { s.moved(ctx, id, networkID) }
	if len(j.Given) > 0 {
		r.Last = j.Given[0]
	}
	var l lease.Lease
	err := s.unlocked(func() (err error) {
		l, err = s.leases.Take(ctx, leaseKey(a, &j.Network), r)
		return err
	})
	if err != nil {
		return fmt.Errorf("network %s: %w", j.Network.Name, err)
	}
	if s.attached[a.ID] != a || s.leaving[a.ID] {
		return errs.Conflict("container %s has left its networks meanwhile", a.Name)
	}
	if r.Last == l.Address {
		return nil
	}
	if err := s.links.Forget(a.NetNS, j); err != nil {
		return err
	}
	j.Given, j.Servers, j.Gateways = []netip.Prefix{l.Address}, l.Servers, nil
	if l.Gateway.IsValid() {
		j.Gateways = []netip.Addr{l.Gateway}
	}
	return s.record(a)
}

// giveLease gives back what was lent to a join. A server that does not hear of it takes it back in time.
func (s *Server) giveLease(a *network.Attachment, j *network.Join) {
	if lent(&j.Network) {
		if err := s.leases.Give(leaseKey(a, &j.Network)); err != nil {
			s.say(fmt.Sprintf("container %s: give its address back: %v", a.Name, err))
		}
	}
}

// moved gives a container the address that its server lends in place of the one before.
func (s *Server) moved(ctx context.Context, id, networkID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attached[id]
	if a == nil || s.leaving[id] || joinOf(a, networkID) < 0 {
		return
	}
	if err := s.make(ctx, a); err != nil {
		s.say(fmt.Sprintf("container %s: another address on a network: %v", a.Name, err))
	}
}
