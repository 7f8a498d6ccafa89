package names

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	ourSize = 1232 // bytes of a UDP message that pass everywhere in one piece (RFC 9715)
	maxRoom = 4096 // bytes of an answer over UDP, whatever the asker says that it takes
)

// The header of a message (RFC 1035, 4.1.1): two bytes of id, then these bits in the third.
const (
	headerSize   = 12
	responseBit  = 0x80
	truncatedBit = 0x02
)

// suffixes may follow a container's name.
var suffixes = []string{".dns.podman", ".dns.hull"}

// asked is a question that has been read, with the answer to be.
type asked struct {
	reply   *dns.Msg
	query   *dns.Msg
	room    int              // bytes that the answer may have
	servers []netip.AddrPort // when it is to be asked elsewhere; none: the host's
}

// allowed reports whether a question may come from there at all.
func (s *Server) allowed(z *zone, from netip.Addr) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(z.Subnets, func(p netip.Prefix) bool { return p.Contains(from) })
}

// answer reads a message that came in on the zone. It returns the answer, in buf if that is large enough; or what is to be
// asked elsewhere; or neither, for what is no question.
func (s *Server) answer(z *zone, from netip.Addr, message, buf []byte, stream bool) ([]byte, *asked) {
	if len(message) < headerSize || message[2]&responseBit != 0 {
		return nil, nil
	}
	a := &asked{query: new(dns.Msg), reply: new(dns.Msg), room: dns.MinMsgSize}
	if err := a.query.Unpack(message); err != nil {
		a.reply.Id, a.reply.Response, a.reply.Rcode = binary.BigEndian.Uint16(message), true, dns.RcodeFormatError
		return a.pack(buf), nil // nothing but the id is to be trusted
	}
	a.reply.SetReply(a.query)
	a.reply.RecursionAvailable = true
	opt := a.query.IsEdns0()
	if opt != nil {
		a.room = min(max(int(opt.UDPSize()), dns.MinMsgSize), maxRoom)
		a.reply.SetEdns0(ourSize, opt.Do())
	}
	if stream {
		a.room = dns.MaxMsgSize
	}
	switch {
	case a.query.Opcode != dns.OpcodeQuery:
		a.reply.Rcode = dns.RcodeNotImplemented
	case len(a.query.Question) != 1:
		a.reply.Rcode = dns.RcodeFormatError
	case opt != nil && opt.Version() != 0:
		a.reply.Rcode = dns.RcodeBadVers
	case refused(a.query.Question[0]):
		a.reply.Rcode = dns.RcodeRefused
	default:
		if s.elsewhere(z, from, a) {
			return nil, a
		}
	}
	return a.pack(buf), nil
}

// refused reports whether a question is one that nobody needs and some misuse: whole zones, all there is of a name, and
// classes other than the Internet's.
func refused(q dns.Question) bool {
	switch q.Qtype {
	case dns.TypeANY, dns.TypeAXFR, dns.TypeIXFR, dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT:
		return true
	}
	return q.Qclass != dns.ClassINET
}

// pack is the answer as it is sent; what does not fit is left out and TC says so.
func (a *asked) pack(buf []byte) []byte {
	a.reply.Truncate(a.room)
	out, err := a.reply.PackBuffer(buf)
	if err != nil {
		return nil
	}
	return out
}

// failed is the answer when nobody elsewhere has one.
func (a *asked) failed() []byte {
	a.reply.Rcode = dns.RcodeServerFailure
	return a.pack(nil)
}

// elsewhere fills the answer in, or reports that it is to be had from other servers.
func (s *Server) elsewhere(z *zone, from netip.Addr, a *asked) bool {
	name := strings.ToLower(strings.TrimSuffix(a.query.Question[0].Name, "."))
	stem, ours := name, false
	for _, suffix := range suffixes {
		if before, ok := strings.CutSuffix(name, suffix); ok {
			stem, ours = before, true
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	zones, asker := z.seenBy(from)
	var known bool
	if addr, ok := reversed(name); ok {
		known = s.pointers(zones, addr, a.reply)
	} else {
		known = s.addresses(zones, stem, a.reply)
	}
	if known {
		return false
	}
	forwards := func(other *zone) bool { return other.Forward }
	if ours || !slices.ContainsFunc(zones, forwards) {
		a.reply.Rcode = dns.RcodeNameError
		return false
	}
	if asker != nil {
		a.servers = asker.servers
	}
	for _, other := range append([]*zone{z}, zones...) {
		if len(a.servers) == 0 && other.Forward {
			a.servers = other.Servers
		}
	}
	return true
}

// seenBy is who asks, nil when no container has that address, and the zones whose names it may know. s.mu is held.
func (z *zone) seenBy(from netip.Addr) ([]*zone, *host) {
	m := z.members[from]
	if m == nil {
		return []*zone{z}, nil
	}
	zones := make([]*zone, 0, 4) // more is rare
	for _, on := range m.host.members {
		zones = append(zones, on.zone)
	}
	return zones, m.host
}
