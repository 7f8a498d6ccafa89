package names

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// ttl is why the package comment says.
const ttl = 0

// addresses answers a question for the addresses of containers and reports whether one has the name. A name without an
// address of the kind is a name all the same: an empty answer. s.mu is held.
func (s *Server) addresses(zones []*zone, name string, reply *dns.Msg) bool {
	known := false
	var found []netip.Addr
	kind := reply.Question[0].Qtype
	for _, z := range zones {
		if !z.Names {
			continue
		}
		for _, m := range z.names[name] {
			known = true
			for _, addr := range m.addrs {
				if addr.Is4() == (kind == dns.TypeA) {
					found = append(found, addr)
				}
			}
		}
	}
	if !known {
		return false
	}
	reply.Authoritative = true
	if len(found) == 0 || kind != dns.TypeA && kind != dns.TypeAAAA {
		return true
	}
	first := 0
	if len(found) > 1 {
		first = int(s.turn.Add(1) % uint32(len(found)))
	}
	reply.Answer = make([]dns.RR, 0, len(found))
	header := dns.RR_Header{Name: reply.Question[0].Name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
	for _, part := range [][]netip.Addr{found[first:], found[:first]} {
		for _, addr := range part {
			if kind == dns.TypeA {
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: addr.AsSlice()})
			} else {
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()})
			}
		}
	}
	return true
}

// pointers answers a question for the names of an address and reports whether the answer lies here: nobody else is to be
// asked about the subnets of the zones. s.mu is held.
func (s *Server) pointers(zones []*zone, addr netip.Addr, reply *dns.Msg) bool {
	within := false
	header := dns.RR_Header{Name: reply.Question[0].Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: ttl}
	for _, z := range zones {
		if !z.Names {
			continue
		}
		within = within || slices.ContainsFunc(z.Subnets, func(p netip.Prefix) bool { return p.Contains(addr) })
		m := z.members[addr]
		if m == nil {
			continue
		}
		reply.Authoritative = true
		if reply.Question[0].Qtype == dns.TypePTR {
			for _, text := range m.names {
				reply.Answer = append(reply.Answer, &dns.PTR{Hdr: header, Ptr: text + "."})
			}
		}
		return true
	}
	if within {
		reply.Rcode = dns.RcodeNameError
	}
	return within
}

// reversed reads a name below in-addr.arpa or ip6.arpa that is a whole address. The name is in lower case.
func reversed(name string) (netip.Addr, bool) {
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		var raw [4]byte
		for i := range raw {
			label, more, cut := strings.Cut(labels, ".")
			n, err := strconv.ParseUint(label, 10, 8)
			if err != nil || cut == (i == len(raw)-1) {
				return netip.Addr{}, false
			}
			raw[len(raw)-1-i], labels = byte(n), more
		}
		return netip.AddrFrom4(raw), true
	}
	labels, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(labels) != 63 {
		return netip.Addr{}, false
	}
	var raw [16]byte
	for i := range 32 {
		nibble := strings.IndexByte("0123456789abcdef", labels[2*i])
		if nibble < 0 || i < 31 && labels[2*i+1] != '.' {
			return netip.Addr{}, false
		}
		raw[15-i/2] |= byte(nibble) << (4 * (i % 2))
	}
	return netip.AddrFrom16(raw), true
}
