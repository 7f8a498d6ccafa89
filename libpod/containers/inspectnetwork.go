package containers

import (
	"net/netip"

	"hull.dev/hull/libpod/define"
)

// inspectNetwork is how a container is reached. What stands at the top besides is that of the default network alone, as
// podman and docker have it.
func (s *Service) inspectNetwork(c *define.Container) define.InspectNetwork {
	n := define.InspectNetwork{Ports: bindings(c.Config.Ports), SandboxKey: c.NetNS}
	if len(c.Config.Joins) == 0 {
		n.IPAddress = first(c.IPs)
		return n
	}
	n.Networks = map[string]*define.InspectEndpoint{}
	for _, j := range c.Config.Joins { // those of a container that does not run have no addresses
		n.Networks[j.Network] = &define.InspectEndpoint{NetworkID: j.Network, Aliases: append(j.Aliases[:len(j.Aliases):len(j.Aliases)], short(c.Config.ID)), MacAddress: j.MAC}
	}
	for i := range c.Networks {
		j := &c.Networks[i]
		e := endpoint(j)
		e.Aliases = append(j.Aliases[:len(j.Aliases):len(j.Aliases)], short(c.Config.ID))
		n.Networks[j.Network] = e
		if j.Network == s.Config.Network.DefaultNetwork {
			n.Gateway, n.IPAddress, n.IPPrefixLen, n.MacAddress = e.Gateway, e.IPAddress, e.IPPrefixLen, e.MacAddress
			n.IPv6Gateway, n.GlobalIPv6Address, n.GlobalIPv6PrefixLen = e.IPv6Gateway, e.GlobalIPv6Address, e.GlobalIPv6PrefixLen
		}
	}
	return n
}

func endpoint(j *define.Joined) *define.InspectEndpoint {
	e := &define.InspectEndpoint{NetworkID: j.Network, MacAddress: j.MAC}
	for _, text := range j.Addresses {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
		case p.Addr().Is4() && e.IPAddress == "":
			e.IPAddress, e.IPPrefixLen = p.Addr().String(), p.Bits()
		case p.Addr().Is6() && e.GlobalIPv6Address == "":
			e.GlobalIPv6Address, e.GlobalIPv6PrefixLen = p.Addr().String(), p.Bits()
		}
	}
	for _, text := range j.Gateways {
		g, err := netip.ParseAddr(text)
		switch {
		case err != nil:
		case g.Is4() && e.Gateway == "":
			e.Gateway = text
		case g.Is6() && e.IPv6Gateway == "":
			e.IPv6Gateway = text
		}
	}
	return e
}
