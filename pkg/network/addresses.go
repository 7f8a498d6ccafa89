package network

import (
	"net/netip"

	"hull.dev/hull/pkg/errs"
)

// Next is the address for a container that comes after the one that was given out last: addresses are used in turn, so
// that one that was just freed rests as long as can be. It is none that used reports, none outside of Lease, and neither
// the network's own address, the gateway, nor, of IPv4, the broadcast address; of two addresses or one (/31 and /127, /32
// and /128) all are for containers. A last that is not of the subnet begins at its first. An error of class
// errdefs.ErrConflict says that the subnet is full.
func (s Subnet) Next(used func(netip.Addr) bool, last netip.Addr) (netip.Addr, error) {
	first, end := s.bounds()
	if !first.IsValid() || first.Compare(end) > 0 {
		return netip.Addr{}, s.full()
	}
	start := first
	if last.IsValid() && last.Compare(first) >= 0 && last.Less(end) {
		start = last.Next()
	}
	for a := start; ; {
		if a != s.Gateway && !used(a) {
			return a, nil
		}
		if a == end {
			a = first
		} else {
			a = a.Next()
		}
		if a == start {
			return netip.Addr{}, s.full()
		}
	}
}

func (s Subnet) full() error {
	return errs.WithHint(errs.Conflict("subnet %s has no free address", s.Prefix), "remove containers from its network, or make a network with a larger subnet")
}

// bounds are the first and the last address that containers may have.
func (s Subnet) bounds() (first, end netip.Addr) {
	first, end = s.Prefix.Masked().Addr(), lastOf(s.Prefix)
	if !isTiny(s.Prefix) {
		first = first.Next()
		if end.Is4() {
			end = end.Prev()
		}
	}
	if s.Lease != nil {
		if s.Lease.Start.IsValid() && first.Less(s.Lease.Start) {
			first = s.Lease.Start
		}
		if s.Lease.End.IsValid() && s.Lease.End.Less(end) {
			end = s.Lease.End
		}
	}
	return first, end
}

// isTiny reports whether the subnet has no address of its own: it has two addresses or one (RFC 3021, RFC 6164).
func isTiny(p netip.Prefix) bool { return p.Addr().BitLen()-p.Bits() <= 1 }

// lastOf is the highest address of p.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for i := range bytes {
		switch own := p.Bits() - 8*i; {
		case own <= 0:
			bytes[i] = 0xff
		case own < 8:
			bytes[i] |= 0xff >> own
		}
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// firstOf is the first address of p behind its own; gateways have it that nobody asked for.
func firstOf(p netip.Prefix) netip.Addr {
	first := p.Masked().Addr()
	if p.IsSingleIP() {
		return first
	}
	return first.Next()
}

// LeaseOf is the range of all addresses of p but its own.
func LeaseOf(p netip.Prefix) LeaseRange { return LeaseRange{Start: firstOf(p), End: lastOf(p)} }
