package filter

import (
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"

	"hull.dev/hull/pkg/network"
)

// sets are the sets that change when a container comes or goes; the rules look into them and stay.
type sets struct {
	root bool
	dns  uint16 // port of the name servers
	vrf  bool   // there are rules for networks on VRF devices

	rules map[*nftables.Chain]int // how many each chain has
	made  []*nftables.Set         // all of those below that there are

	bridges, internal, isolated, strict *nftables.Set    // of table inet: interfaces of networks
	open                                *nftables.Set    // those with a way out
	within, separate                    *nftables.Set    // in . out, the same bridge; separate: of networks whose containers are
	behind                              [2]*nftables.Set // VRF device . address of a member, IPv4 and IPv6; without vrf there are none
	servers4, servers6                  *nftables.Set    // interface . address of its name server, if it has one

	ends, bound, macs, v4, v6 *nftables.Set // of table bridge; bound are the ends with addresses of hull's
	any4, any6                *nftables.Set // maps: protocol . port → address . port
	own4, own6                *nftables.Set // maps: protocol . address of the host . port → address . port
}

func ifname(name string) []byte {
	b := make([]byte, 16)
	copy(b, name)
	return b
}

// padded fills a part of a concatenation up to the next register.
func padded(b []byte) []byte { return append(b, make([]byte, (4-len(b)%4)%4)...) }

func concat(parts ...[]byte) []byte {
	var key []byte
	for _, p := range parts {
		key = append(key, padded(append([]byte(nil), p...))...)
	}
	return key
}

// elements of a member: its interface, its MAC, its addresses of both families. What the kernel gives it by itself in IPv6
// is among them: the link-local address made of the MAC, and none while it looks whether that is free.
func (s *sets) elements(m Member) content {
	name := ifname(m.HostEnd)
	e := content{
		s.ends: {{Key: name}},
		s.macs: {{Key: concat(name, m.MAC)}},
	}
	if m.Free {
		return e
	}
	if m.VRF != "" && s.vrf {
		for _, a := range m.Addresses {
			set := s.behind[0]
			if a.Is6() {
				set = s.behind[1]
			}
			e[set] = append(e[set], nftables.SetElement{Key: concat(ifname(m.VRF), a.AsSlice())})
		}
	}
	e[s.bound] = []nftables.SetElement{{Key: name}}
	v6 := []netip.Addr{netip.IPv6Unspecified(), linkLocal(m.MAC)}
	for _, a := range m.Addresses {
		if a.Is4() {
			e[s.v4] = append(e[s.v4], nftables.SetElement{Key: concat(name, a.AsSlice())})
		} else {
			v6 = append(v6, a)
		}
	}
	for _, a := range v6 {
		e[s.v6] = append(e[s.v6], nftables.SetElement{Key: concat(name, a.AsSlice())})
	}
	return e
}

// linkLocal is the modified EUI-64 address of an interface (RFC 4291, appendix A).
func linkLocal(mac net.HardwareAddr) netip.Addr {
	a := [16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]}
	return netip.AddrFrom16(a)
}

// most is how many elements go into one message: its attributes have 64 kB at most (netlink(7)).
const most = 256

func add(conn *nftables.Conn, set *nftables.Set, list []nftables.SetElement) error {
	for part := range slices.Chunk(list, most) {
		if err := conn.SetAddElements(set, part); err != nil {
			return err
		}
	}
	return nil
}

// content is what sets have.
type content map[*nftables.Set][]nftables.SetElement

// addTo adds it, in few messages: each is answered, and the answers have to find room.
func (all content) addTo(conn *nftables.Conn) error {
	for set, list := range all {
		if err := add(conn, set, list); err != nil {
			return err
		}
	}
	return nil
}

// ofMembers is what the sets have of these.
func (s *sets) ofMembers(members []Member) content {
	all := content{}
	for _, m := range members {
		for set, list := range s.elements(m) {
			all[set] = append(all[set], list...)
		}
	}
	return all
}

func (s *sets) addMembers(conn *nftables.Conn, members []Member) error {
	return s.ofMembers(members).addTo(conn)
}

// fillNetworks replaces what the sets of networks have.
func (s *sets) fillNetworks(conn *nftables.Conn, networks []network.Network) error {
	for _, set := range []*nftables.Set{s.bridges, s.internal, s.isolated, s.strict, s.open, s.within, s.separate, s.servers4, s.servers6} {
		conn.FlushSet(set)
	}
	return s.ofNetworks(networks).addTo(conn)
}

// ofNetworks is what the sets have of these.
func (s *sets) ofNetworks(networks []network.Network) content {
	all := content{}
	put := func(set *nftables.Set, parts ...[]byte) {
		all[set] = append(all[set], nftables.SetElement{Key: concat(parts...)})
	}
	for i := range networks {
		n := &networks[i]
		name := ifname(n.Interface)
		put(s.bridges, name)
		put(s.within, name, name)
		if n.Internal {
			put(s.internal, name)
		} else {
			put(s.open, name)
		}
		if n.Separate() {
			put(s.separate, name, name)
		}
		if n.Isolated() {
			put(s.isolated, name)
		}
		if n.Options[network.OptionIsolate] == network.IsolateStrict {
			put(s.strict, name)
		}
		for _, subnet := range n.Subnets {
			switch {
			case !subnet.Gateway.IsValid(), s.root && !n.DNS: // at the host's address somebody else may be asked
			case subnet.Gateway.Is4():
				put(s.servers4, name, subnet.Gateway.AsSlice())
			default:
				put(s.servers6, name, subnet.Gateway.AsSlice())
			}
		}
	}
	return all
}

func (s *sets) removeMember(conn *nftables.Conn, m Member) error {
	for set, list := range s.elements(m) {
		if err := conn.SetDeleteElements(set, list); err != nil {
			return err
		}
	}
	return nil
}

// element is a published port in the map that it belongs to.
func (s *sets) element(f Forward) (*nftables.Set, nftables.SetElement) {
	port := binaryutil.BigEndian.PutUint16(f.HostPort)
	to := concat(f.To.Addr().AsSlice(), binaryutil.BigEndian.PutUint16(f.To.Port()))
	set := s.any4
	key := concat([]byte{f.Protocol}, port)
	if f.HostIP.IsValid() {
		set, key = s.own4, concat([]byte{f.Protocol}, f.HostIP.AsSlice(), port)
	}
	if f.To.Addr().Is6() {
		set = map[*nftables.Set]*nftables.Set{s.any4: s.any6, s.own4: s.own6}[set]
	}
	return set, nftables.SetElement{Key: key, Val: to}
}

// ofForwards is what the maps have of these.
func (s *sets) ofForwards(list []Forward) content {
	all := content{}
	for _, f := range list {
		set, e := s.element(f)
		all[set] = append(all[set], e)
	}
	return all
}

func (s *sets) replaceForwards(conn *nftables.Conn, before, now []Forward) error {
	for set, list := range s.ofForwards(before) {
		for part := range slices.Chunk(list, most) {
			if err := conn.SetDeleteElements(set, part); err != nil {
				return err
			}
		}
	}
	return s.ofForwards(now).addTo(conn)
}
