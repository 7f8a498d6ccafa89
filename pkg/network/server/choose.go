package server

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
)

// lastAddresses are the addresses that were given out last, by subnet: the next one is behind it, so that an address is
// not another container's as soon as it is free.
type lastAddresses map[netip.Prefix]netip.Addr

// choose fills what the attachment leaves open: interfaces, MACs, addresses, servers.
func (s *Server) choose(a *network.Attachment) error {
	for i := range a.Joins {
		if err := s.chooseJoin(a, &a.Joins[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) chooseJoin(a *network.Attachment, j *network.Join) error {
	if j.MAC == "" {
		mac, err := s.links.HardwareAddress(a.ID, &j.Network)
		if err != nil {
			return err
		}
		j.MAC = mac.String()
	}
	if _, err := net.ParseMAC(j.MAC); err != nil {
		return errs.Invalid("the MAC address %q of container %s is none", j.MAC, a.Name)
	}
	if err := chooseInterface(a, j); err != nil {
		return err
	}
	return s.chooseAddresses(a, j)
}

// chooseInterface takes the first of eth0, eth1 … that the container has not.
func chooseInterface(a *network.Attachment, j *network.Join) error {
	taken := func(name string) bool {
		return slices.ContainsFunc(a.Joins, func(o network.Join) bool { return o.Network.ID != j.Network.ID && o.Interface == name })
	}
	if j.Interface != "" {
		if taken(j.Interface) {
			return errs.Invalid("container %s is to have two interfaces %q", a.Name, j.Interface)
		}
		return nil
	}
	for i := 0; ; i++ {
		if name := "eth" + strconv.Itoa(i); !taken(name) {
			j.Interface = name
			return nil
		}
	}
}

// chooseAddresses gives the join one address of each subnet: the one that was asked for, or the next free one.
func (s *Server) chooseAddresses(a *network.Attachment, j *network.Join) error {
	n := &j.Network
	j.Given, j.Gateways, j.Servers = nil, nil, nil
	asked := slices.Clone(j.IPs)
	for _, subnet := range n.Subnets {
		i := slices.IndexFunc(asked, subnet.Prefix.Contains)
		var address netip.Addr
		if i >= 0 {
			address = asked[i]
			asked = slices.Delete(asked, i, i+1)
			if other := s.holder(a.ID, n.ID, address); other != nil {
				return errs.Conflict("address %s of network %s is container %s's", address, n.Name, other.Name)
			}
			if address == subnet.Gateway {
				return errs.Invalid("address %s is the gateway of network %s", address, n.Name)
			}
		} else if address = s.next(a, n, subnet); !address.IsValid() {
			return errs.Conflict("network %s has no free address in %s", n.Name, subnet.Prefix)
		}
		j.Given = append(j.Given, netip.PrefixFrom(address, subnet.Prefix.Bits()))
		if subnet.Gateway.IsValid() {
			j.Gateways = append(j.Gateways, subnet.Gateway)
			if n.Owned() && (n.DNS || !s.options.Root) {
				j.Servers = append(j.Servers, subnet.Gateway)
			}
		}
	}
	if len(asked) > 0 {
		return errs.Invalid("address %s is in no subnet of network %s", asked[0], n.Name)
	}
	return nil
}

// next is the next free address of a subnet; the zero address when there is none.
func (s *Server) next(a *network.Attachment, n *network.Network, subnet network.Subnet) netip.Addr {
	taken := map[netip.Addr]bool{}
	for id, other := range s.attached {
		if id == a.ID {
			continue
		}
		for _, j := range other.Joins {
			if j.Network.ID == n.ID {
				for _, g := range j.Given {
					taken[g.Addr()] = true
				}
			}
		}
	}
	u := s.use(n)
	address, err := subnet.Next(func(ip netip.Addr) bool { return taken[ip] }, u.last[subnet.Prefix])
	if err != nil {
		return netip.Addr{}
	}
	u.last[subnet.Prefix] = address
	return address
}

// use is what is known of a network, from the first container that asks for it on.
func (s *Server) use(n *network.Network) *use {
	u := s.networks[n.ID]
	if u == nil {
		u = &use{network: *n, last: lastAddresses{}}
		s.networks[n.ID] = u
	}
	return u
}

// holder is another container that has the address, or nil.
func (s *Server) holder(id, networkID string, address netip.Addr) *network.Attachment {
	for other, a := range s.attached {
		if other == id {
			continue
		}
		for _, j := range a.Joins {
			if j.Network.ID == networkID && slices.ContainsFunc(j.Given, func(p netip.Prefix) bool { return p.Addr() == address }) {
				return a
			}
		}
	}
	return nil
}
