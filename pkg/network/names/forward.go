package names

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Bounds of what a zone may have asked elsewhere at once: more would only be more memory, and a flood for the servers.
const (
	maxAsked   = 256
	maxQueued  = 1024 // these and those that wait
	shareAsked = 128  // of one asker
)

// minPatience is the least time that a server has for its answer.
const minPatience = time.Second

// enqueue takes a place among those that are asked elsewhere or wait for it, or reports that there is none.
func (z *zone) enqueue(asker netip.Addr) bool { return z.queue.take(asker, maxQueued, shareAsked) }

// forward asks other servers and returns the answer for the asker, who has enqueued. It takes as long as it takes.
func (s *Server) forward(ctx context.Context, z *zone, asker netip.Addr, a *asked) []byte {
	defer z.queue.give(asker)
	host := s.upstream.current(s.options.Log)
	// Who waits longer than this has given up: it is what the C library waits for one answer.
	waiting := time.NewTimer(host.timeout)
	defer waiting.Stop()
	select {
	case z.slots <- struct{}{}:
		defer func() { <-z.slots }()
	case <-waiting.C:
		return a.failed()
	case <-ctx.Done():
		return nil
	}
	return s.ask(ctx, a, host)
}

// ask goes through the servers, round after round, until one has an answer. When they only say that they have none, the
// asker hears why the last of them has not.
func (s *Server) ask(ctx context.Context, a *asked, host resolver) []byte {
	servers := a.servers
	if len(servers) == 0 {
		servers = host.servers
	}
	servers = s.notOurselves(servers)
	if len(servers) == 0 {
		return a.failed()
	}
	message, err := a.onward()
	if err != nil {
		return a.failed()
	}
	// The asker waits as long for us as we for a server, so the first round over all of them has to come to an end by then.
	patience := max(host.timeout/time.Duration(len(servers)), minPatience)
	for range host.attempts {
		for _, server := range s.upstream.order(servers, host.rotate) {
			answer, err := exchange(ctx, server, message, patience)
			if ctx.Err() != nil {
				return nil
			}
			s.upstream.heard(server, err == nil)
			switch {
			case err != nil:
			case refuses(answer):
				a.reply.Rcode = rcode(answer)
			default:
				return a.passOn(answer)
			}
		}
		if a.reply.Rcode != dns.RcodeSuccess {
			return a.pack(nil) // a second round would hear the same
		}
	}
	return a.failed()
}

// notOurselves leaves out the addresses that this server listens on, where a question would come back for ever.
func (s *Server) notOurselves(servers []netip.AddrPort) []netip.AddrPort {
	s.mu.RLock()
	defer s.mu.RUnlock()
	others := make([]netip.AddrPort, 0, len(servers))
	for _, server := range servers {
		switch {
		case !s.listensOn(server):
			others = append(others, server)
		case s.upstream.firstTime(server):
			s.options.Log("names: not asking " + server.String() + ", which is this server itself: name another one in resolv.conf")
		}
	}
	return others
}

// listensOn reports whether the address is one of this server's. s.mu is held.
func (s *Server) listensOn(server netip.AddrPort) bool {
	if server.Port() != s.options.Port {
		return false
	}
	for _, z := range s.zones {
		for _, at := range z.Listen {
			if at.Unmap() == server.Addr().Unmap() {
				return true
			}
		}
	}
	return false
}

// onward is what the other server is asked: no more than the name, and how much of an answer may come. An OPT record
// belongs to one hop (RFC 6891, 6.1.1), so this has its own; without one the asker's server may know of none either.
func (a *asked) onward() ([]byte, error) {
	m := &dns.Msg{Question: a.query.Question}
	m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = a.query.RecursionDesired, a.query.CheckingDisabled, a.query.AuthenticatedData
	if opt := a.query.IsEdns0(); opt != nil {
		m.SetEdns0(ourSize, opt.Do())
	}
	return m.Pack()
}

// exchange asks one server, over UDP and, when the answer did not fit, over TCP. The port is a new one each time, and so is
// the id: both have to be guessed by who would forge an answer.
func exchange(ctx context.Context, server netip.AddrPort, message []byte, patience time.Duration) ([]byte, error) {
	binary.BigEndian.PutUint16(message, dns.Id())
	short, err := over(ctx, "udp", server, message, patience)
	if err != nil {
		return nil, err
	}
	if short[2]&truncatedBit == 0 {
		return short, nil
	}
	if whole, err := over(ctx, "tcp", server, message, patience); err == nil {
		return whole, nil
	}
	return short, nil // the asker sees that it is not all and may have more luck
}

// over sends the message and waits for its answer; what comes meanwhile and is not that is dropped.
func over(ctx context.Context, network string, server netip.AddrPort, message []byte, patience time.Duration) ([]byte, error) {
	deadline := time.Now().Add(patience)
	dialer := net.Dialer{Deadline: deadline}
	c, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err := c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	conn := &dns.Conn{Conn: c, UDPSize: maxRoom}
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	for {
		answer, err := conn.ReadMsgHeader(nil)
		switch {
		case errors.Is(err, dns.ErrShortRead):
		case err != nil:
			return nil, err
		case answers(answer, message):
			return answer, nil
		}
	}
}

// answers reports whether a message is the answer to the other: its id, and its question in whatever case. A server that
// could not read the question, or would not, may leave it out.
func answers(answer, message []byte) bool {
	if len(answer) < headerSize || answer[2]&responseBit == 0 || answer[0] != message[0] || answer[1] != message[1] {
		return false
	}
	if answer[4] == 0 && answer[5] == 0 {
		return refuses(answer)
	}
	got, ok := question(answer)
	want, _ := question(message)
	return ok && got.Qtype == want.Qtype && got.Qclass == want.Qclass && strings.EqualFold(got.Name, want.Name)
}

// question reads the first question of a message.
func question(message []byte) (q dns.Question, ok bool) {
	name, end, err := dns.UnpackDomainName(message, headerSize)
	if err != nil || len(message) < end+4 {
		return q, false
	}
	return dns.Question{Name: name, Qtype: binary.BigEndian.Uint16(message[end:]), Qclass: binary.BigEndian.Uint16(message[end+2:])}, true
}

func rcode(answer []byte) int { return int(answer[3] & 0x0f) }

// refuses reports whether a server has no answer but another may have one. FORMERR is from one that takes no OPT.
func refuses(answer []byte) bool {
	switch rcode(answer) {
	case dns.RcodeServerFailure, dns.RcodeNotImplemented, dns.RcodeRefused, dns.RcodeFormatError:
		return true
	}
	return false
}

// passOn makes the answer the asker's: byte for byte where it fits.
func (a *asked) passOn(answer []byte) []byte {
	binary.BigEndian.PutUint16(answer, a.query.Id)
	if len(answer) <= a.room {
		return answer
	}
	m := new(dns.Msg)
	if err := m.Unpack(answer); err != nil {
		a.reply.Truncated = true // over TCP it goes through as it is
		return a.pack(nil)
	}
	m.Truncate(a.room)
	out, err := m.Pack()
	if err != nil {
		return a.failed()
	}
	return out
}
