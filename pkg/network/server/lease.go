package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/lease"
)

// lent reports whether a DHCP server gives the network's addresses.
func lent(n *network.Network) bool { return n.IPAM[network.IPAMDriver] == network.IPAMDHCP }

func leaseKey(a *network.Attachment, n *network.Network) string { return a.ID + " " + n.ID }

// takeLease has a join's addresses lent: the interface is there without one before its server is asked. Where no server
// answers after a death of hull-net the container keeps what it had.
func (s *Server) takeLease(ctx context.Context, a *network.Attachment, j *network.Join) error {
	if err := s.links.Join(a.ID, a.NetNS, j, nil); err != nil {
		return err
	}
	r := lease.Request{Path: a.NetNS, Interface: j.Interface, Hostname: a.Hostname}
	id, networkID := a.ID, j.Network.ID // j is part of a list that moves
	r.Changed = func(ctx context.Context, l lease.Lease) { s.moved(ctx, id, networkID, l) }
	if len(j.Given) > 0 {
		r.Last = j.Given[0].Addr()
	}
	l, ok, err := s.leases.Take(ctx, leaseKey(a, &j.Network), r)
	if err != nil {
		return fmt.Errorf("network %s: %w", j.Network.Name, err)
	}
	if !ok {
		return nil
	}
	setLease(j, l)
	return s.record(a)
}

func setLease(j *network.Join, l lease.Lease) {
	j.Given, j.Servers, j.Gateways = []netip.Prefix{l.Address}, l.Servers, nil
	if l.Gateway.IsValid() {
		j.Gateways = []netip.Addr{l.Gateway}
	}
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
func (s *Server) moved(ctx context.Context, id, networkID string, l lease.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attached[id]
	if a == nil || s.leaving[id] {
		return
	}
	i := joinOf(a, networkID)
	if i < 0 {
		return
	}
	err := s.links.Forget(a.NetNS, &a.Joins[i])
	setLease(&a.Joins[i], l)
	if err = errors.Join(err, s.record(a), s.make(ctx, a)); err != nil {
		s.say(fmt.Sprintf("container %s: its address is %s now: %v", a.Name, l.Address, err))
	}
}
