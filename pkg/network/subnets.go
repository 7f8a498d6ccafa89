package network

import (
	"crypto/rand"
	"net/netip"
	"slices"

	"hull.dev/hull/pkg/errs"
)

// Pool is a range that networks get their subnets from.
type Pool struct {
	Base netip.Prefix
	Bits int // length of the prefix of one subnet
}

// lastPools are asked when those of the configuration are used up: often all of them lie in 10.0.0.0/8, and a VPN may have
// a route there.
var lastPools = []Pool{
	{netip.MustParsePrefix("172.16.0.0/12"), 24},
	{netip.MustParsePrefix("192.168.0.0/16"), 24},
}

// free4 is the first IPv4 subnet of the pools in which no network is, and the host has neither an address nor a route.
func (w *world) free4() (netip.Prefix, error) {
	used := slices.Concat(w.prefixes(), w.host.Addresses, w.host.Routes)
	for _, pool := range slices.Concat(w.pools, lastPools) {
		if p, ok := pool.free(used); ok {
			return p, nil
		}
	}
	return netip.Prefix{}, errs.WithHint(errs.Conflict("no subnet is free in default_subnet_pools"), "--subnet takes one that networks and the host's addresses do not have, whatever routes there are")
}

// free is the first subnet of the pool that overlaps none of used.
func (p Pool) free(used []netip.Prefix) (netip.Prefix, bool) {
	for at := p.Base.Masked().Addr(); at.IsValid() && p.Base.Contains(at); {
		try := netip.PrefixFrom(at, p.Bits)
		hit, ok := overlaps(try, used)
		if !ok {
			return try, true
		}
		if hit.Bits() > p.Bits {
			hit = try
		}
		at = lastOf(hit).Next() // behind the wider of the two
	}
	return netip.Prefix{}, false
}

// free6 is a random /64 of the unique local addresses (RFC 4193).
func (w *world) free6() netip.Prefix {
	used := slices.Concat(w.prefixes(), w.host.Addresses, w.host.Routes)
	for {
		var a [16]byte
		_, _ = rand.Read(a[1:8]) // never fails
		a[0] = 0xfd
		p := netip.PrefixFrom(netip.AddrFrom16(a), 64)
		if _, taken := overlaps(p, used); !taken {
			return p
		}
	}
}
