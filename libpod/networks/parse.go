package networks

import (
	"net/netip"
	"strconv"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
)

// parse is what was asked for as a definition that the store completes.
func parse(o define.NetworkCreateOptions) (network.Network, error) {
	n := network.Network{
		Name: o.Name, Driver: o.Driver, Interface: o.Interface, IPv6: o.IPv6, Internal: o.Internal, DNS: !o.DisableDNS,
		Labels: o.Labels, Options: o.Options,
	}
	if o.IPAMDriver != "" {
		n.IPAM = map[string]string{network.IPAMDriver: o.IPAMDriver}
	}
	if len(o.Subnets) == 0 && len(o.Gateways)+len(o.Ranges) > 0 {
		return n, errs.Invalid("cannot set gateway or range without subnet")
	}
	for _, text := range o.Subnets {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return n, errs.WithHint(errs.Invalid("invalid CIDR address: %s", text), "a subnet looks like 10.89.7.0/24 or fd00:7::/64")
		}
		n.Subnets = append(n.Subnets, network.Subnet{Prefix: p.Masked()}) // podman takes any address in it
	}
	if err := parseGateways(&n, o.Gateways); err != nil {
		return n, err
	}
	if err := parseRanges(&n, o.Ranges); err != nil {
		return n, err
	}
	for _, text := range o.Routes {
		r, err := parseRoute(text)
		if err != nil {
			return n, err
		}
		n.Routes = append(n.Routes, r)
	}
	var err error
	n.DNSServers, err = parseServers("--dns", o.DNS)
	return n, err
}

// parseGateways gives each gateway to the subnet that it is in.
func parseGateways(n *network.Network, list []string) error {
	if len(list) > len(n.Subnets) {
		return errs.Invalid("cannot set more gateways than subnets")
	}
	for _, text := range list {
		a, err := parseAddress(text)
		if err != nil {
			return errs.Invalid("--gateway %q: %s", text, err)
		}
		s, err := holder(n, "gateway "+text, a)
		if err != nil {
			return err
		}
		if s.Gateway.IsValid() {
			return errs.Invalid("gateway %s: subnet %s has the gateway %s already", a, s.Prefix, s.Gateway)
		}
		s.Gateway = a
	}
	return nil
}

// parseRanges gives each range to the subnet that it begins in.
func parseRanges(n *network.Network, list []string) error {
	if len(list) > len(n.Subnets) {
		return errs.Invalid("cannot set more ranges than subnets")
	}
	for _, text := range list {
		r, err := parseRange(text)
		if err != nil {
			return err
		}
		s, err := holder(n, "lease range start ip "+r.Start.String(), r.Start)
		if err != nil {
			return err
		}
		if s.Lease != nil {
			return errs.Invalid("--ip-range %s: subnet %s has a range already", text, s.Prefix)
		}
		s.Lease = &r
	}
	return nil
}

// holder is the subnet that an address is in.
func holder(n *network.Network, what string, a netip.Addr) (*network.Subnet, error) {
	var names []string
	for i := range n.Subnets {
		if n.Subnets[i].Prefix.Contains(a) {
			return &n.Subnets[i], nil
		}
		names = append(names, n.Subnets[i].Prefix.String())
	}
	return nil, errs.Invalid("%s not in subnet %s", what, strings.Join(names, " or "))
}

// parseRange reads ADDRESS/LENGTH or FIRST-LAST. Of the first form the range begins behind the network's own address and
// ends with the last, as in podman.
func parseRange(text string) (network.LeaseRange, error) {
	wrong := errs.WithHint(errs.Invalid("--ip-range %q is not a range", text), "it looks like 10.89.7.128/25 or 10.89.7.100-10.89.7.200")
	if first, last, ok := strings.Cut(text, "-"); ok {
		start, err1 := parseAddress(first)
		end, err2 := parseAddress(last)
		if err1 != nil || err2 != nil || start.Is4() != end.Is4() {
			return network.LeaseRange{}, wrong
		}
		return network.LeaseRange{Start: start, End: end}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return network.LeaseRange{}, wrong
	}
	return network.LeaseOf(p.Masked()), nil
}

func parseRoute(text string) (network.Route, error) {
	wrong := errs.WithHint(errs.Invalid("invalid route: %s", text), "a route is DESTINATION/LENGTH,GATEWAY[,METRIC], as 10.19.12.0/24,10.89.7.9,100")
	parts := strings.Split(text, ",")
	if len(parts) != 2 && len(parts) != 3 {
		return network.Route{}, wrong
	}
	to, err1 := netip.ParsePrefix(parts[0])
	via, err2 := parseAddress(parts[1])
	if err1 != nil || err2 != nil {
		return network.Route{}, wrong
	}
	r := network.Route{Destination: to, Gateway: via}
	if len(parts) == 3 {
		metric, err := strconv.ParseUint(parts[2], 10, 32)
		if err != nil {
			return r, wrong
		}
		r.Metric = uint32(metric)
	}
	return r, nil
}

func parseServers(flag string, list []string) ([]netip.Addr, error) {
	var servers []netip.Addr
	for _, text := range list {
		a, err := parseAddress(text)
		if err != nil {
			return nil, errs.Invalid("%s %q: %s", flag, text, err)
		}
		servers = append(servers, a)
	}
	return servers, nil
}

// parseAddress reads an address. One of IPv4 within IPv6 is one of IPv4.
func parseAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, errs.Invalid("it is not an IP address")
	}
	return a.Unmap(), nil
}

// report is a definition as it is shown.
func report(n network.Network) define.Network {
	r := define.Network{
		Name: n.Name, ID: n.ID, Driver: n.Driver, NetworkInterface: n.Interface, Created: n.Created, IPv6Enabled: n.IPv6,
		Internal: n.Internal, DNSEnabled: n.DNS, Labels: n.Labels, Options: n.Options, IPAMOptions: n.IPAM,
	}
	for _, s := range n.Subnets {
		shown := define.NetworkSubnet{Subnet: s.Prefix.String(), Gateway: text(s.Gateway)}
		if s.Lease != nil {
			shown.LeaseRange = &define.NetworkLeaseRange{StartIP: text(s.Lease.Start), EndIP: text(s.Lease.End)}
		}
		r.Subnets = append(r.Subnets, shown)
	}
	for _, route := range n.Routes {
		r.Routes = append(r.Routes, define.NetworkRoute{Destination: route.Destination.String(), Gateway: text(route.Gateway), Metric: route.Metric})
	}
	for _, a := range n.DNSServers {
		r.NetworkDNSServers = append(r.NetworkDNSServers, a.String())
	}
	return r
}

// text is an address, or "" for none.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
