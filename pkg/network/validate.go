package network

import (
	"net/netip"
	"slices"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// modeWords are what --network takes besides names of networks: no network is called so.
var modeWords = []string{"bridge", "container", "host", "none", "ns", "pasta", "private", "slirp4netns"}

// longestName is in letters: it is the name of a file.
const longestName = 200

// CheckName refuses names that a network cannot have.
func CheckName(name string) error {
	if !isName(name) {
		return errs.Invalid("network name %q invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*", name)
	}
	if len(name) > longestName {
		return errs.Invalid("network name %.20q… invalid: it has %d letters, and %d is the most", name, len(name), longestName)
	}
	if slices.Contains(modeWords, name) {
		return errs.Invalid("cannot create network with name %q because it conflicts with a valid network mode", name)
	}
	return nil
}

func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r))
	}) && !strings.ContainsRune("_.-", rune(name[0]))
}

func isHex(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') })
}

// check says what is wrong with a definition by itself, whatever other networks there are.
func (n *Network) check() error {
	if !slices.Contains(allDrivers, n.Driver) {
		return errs.WithHint(errs.Invalid("unsupported driver %s%s", n.Driver, errs.DidYouMean(n.Driver, allDrivers)), "there are %s", strings.Join(allDrivers, ", "))
	}
	if n.Interface != "" {
		if err := interfaceName("", n.Interface); err != nil {
			return errs.Invalid("interface %q: %s", n.Interface, err)
		}
	}
	if err := checkOptions(n.Driver, n.Options); err != nil {
		return err
	}
	if err := n.checkIPAM(); err != nil {
		return err
	}
	for i, s := range n.Subnets {
		if err := s.check(); err != nil {
			return err
		}
		for _, other := range n.Subnets[:i] {
			if s.Prefix.Overlaps(other.Prefix) {
				return errs.Invalid("subnets %s and %s overlap", other.Prefix, s.Prefix)
			}
		}
	}
	for _, r := range n.Routes {
		if err := r.check(); err != nil {
			return err
		}
	}
	if len(n.DNSServers) > 0 && !n.DNS {
		return errs.Invalid("network %s has no name server of its own: servers for it to ask cannot be set", n.Name)
	}
	for _, a := range n.DNSServers {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			return errs.Invalid("%s is no address of a name server", a)
		}
	}
	return nil
}

var ipamDrivers = []string{IPAMHostLocal, IPAMDHCP, IPAMNone}

func (n *Network) checkIPAM() error {
	switch driver := n.IPAM[IPAMDriver]; driver {
	case IPAMHostLocal:
		if len(n.Subnets) == 0 {
			return errs.WithHint(errs.Invalid("%s driver needs at least one subnet with ipam driver %s", n.Driver, driver), "--subnet gives one")
		}
	case IPAMNone, IPAMDHCP:
		if len(n.Subnets) > 0 {
			return errs.Invalid("%s ipam driver is set but subnets are given", driver)
		}
		if driver == IPAMDHCP && n.Driver != DriverMacvlan && n.Mode() != ModeUnmanaged {
			return errs.Invalid("ipam driver dhcp is for macvlan and for a bridge with --opt mode=%s", ModeUnmanaged)
		}
	default:
		return errs.WithHint(errs.Invalid("unsupported ipam driver %q%s", driver, errs.DidYouMean(driver, ipamDrivers)), "there are %s", strings.Join(ipamDrivers, ", "))
	}
	return nil
}

// check says what is wrong with a subnet. Its own address is what its length makes of it.
func (s Subnet) check() error {
	switch {
	case !s.Prefix.IsValid() || s.Prefix.Addr().Is4In6() || s.Prefix.Masked() != s.Prefix:
		return errs.Invalid("subnet %s is none: the address has bits behind the length of the prefix", s.Prefix)
	case s.Prefix.Bits() == 0 || s.Prefix.Addr().IsLoopback() || s.Prefix.Addr().IsMulticast():
		return errs.Invalid("subnet %s is not one that containers can have", s.Prefix)
	case s.Gateway.IsValid() && !s.Prefix.Contains(s.Gateway):
		return errs.Invalid("gateway %s not in subnet %s", s.Gateway, s.Prefix)
	case s.Gateway.IsValid() && !isTiny(s.Prefix) && (s.Gateway == s.Prefix.Addr() || s.Gateway.Is4() && s.Gateway == lastOf(s.Prefix)):
		return errs.Invalid("gateway %s of subnet %s is the address of the network itself or of all in it", s.Gateway, s.Prefix)
	case s.Lease == nil:
		return nil
	case s.Lease.Start.IsValid() && !s.Prefix.Contains(s.Lease.Start):
		return errs.Invalid("lease range start ip %s not in subnet %s", s.Lease.Start, s.Prefix)
	case s.Lease.End.IsValid() && !s.Prefix.Contains(s.Lease.End):
		return errs.Invalid("lease range end ip %s not in subnet %s", s.Lease.End, s.Prefix)
	case s.Lease.Start.IsValid() && s.Lease.End.IsValid() && s.Lease.End.Less(s.Lease.Start):
		return errs.Invalid("lease range of subnet %s ends at %s, before it starts at %s", s.Prefix, s.Lease.End, s.Lease.Start)
	}
	return nil
}

func (r Route) check() error {
	switch {
	case !r.Destination.IsValid() || r.Destination.Masked() != r.Destination:
		return errs.Invalid("route to %s: the address has bits behind the length of the prefix", r.Destination)
	case !r.Gateway.IsValid():
		return errs.Invalid("route to %s has no gateway", r.Destination)
	case r.Gateway.Is4() != r.Destination.Addr().Is4():
		return errs.Invalid("route to %s via %s: one is IPv4 and the other IPv6", r.Destination, r.Gateway)
	}
	return nil
}

// overlaps is the first of the prefixes that p overlaps.
func overlaps(p netip.Prefix, list []netip.Prefix) (netip.Prefix, bool) {
	i := slices.IndexFunc(list, p.Overlaps)
	if i < 0 {
		return netip.Prefix{}, false
	}
	return list[i], true
}
