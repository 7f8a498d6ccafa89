package names

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// elsewhere is a server of the host that answers with fn, over UDP and TCP.
func elsewhere(t *testing.T, fn func(w dns.ResponseWriter, m *dns.Msg, stream bool)) netip.AddrPort {
	t.Helper()
	addr := netip.MustParseAddr("127.71.8.1")
	at := netip.AddrPortFrom(addr, freePort(t, addr))
	var ready sync.WaitGroup
	ready.Add(2)
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*dns.Server{
		{PacketConn: udp, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { fn(w, m, false) })},
		{Listener: tcp, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { fn(w, m, true) })},
	} {
		server.NotifyStartedFunc = ready.Done
		ended := make(chan error, 1)
		go func() { ended <- server.ActivateAndServe() }()
		t.Cleanup(func() {
			if err := server.Shutdown(); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
	ready.Wait()
	return at
}

// reply is an answer with n addresses, or a code.
func reply(m *dns.Msg, n, code int) *dns.Msg {
	r := new(dns.Msg).SetRcode(m, code)
	for i := range n {
		r.Answer = append(r.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.IPv4(192, 0, 2, byte(i+1)),
		})
	}
	return r
}

func write(t *testing.T, w dns.ResponseWriter, m *dns.Msg) {
	t.Helper()
	if err := w.WriteMsg(m); err != nil {
		t.Error(err)
	}
}

// record is a server that does as the first label of a name says, and the questions that it got, by name.
type record struct {
	mu   sync.Mutex
	seen map[string]*dns.Msg
}

func (r *record) get(name string) *dns.Msg {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[name]
}

func (r *record) start(t *testing.T) netip.AddrPort {
	t.Helper()
	r.seen = make(map[string]*dns.Msg)
	return elsewhere(t, func(w dns.ResponseWriter, m *dns.Msg, stream bool) {
		r.mu.Lock()
		r.seen[m.Question[0].Name] = m
		r.mu.Unlock()
		switch name, _, _ := strings.Cut(m.Question[0].Name, "."); name {
		case "large":
			all := reply(m, 100, dns.RcodeSuccess)
			if !stream {
				all.Answer, all.Truncated = nil, true
			}
			write(t, w, all)
		case "forged": // other ids, other questions, noise; then the answer
			for _, change := range []func(r *dns.Msg){
				func(r *dns.Msg) { r.Id++ },
				func(r *dns.Msg) { r.Question[0].Name = "other." },
				func(r *dns.Msg) { r.Question[0].Qtype = dns.TypeAAAA },
				func(r *dns.Msg) { r.Response = false },
			} {
				forged := reply(m, 9, dns.RcodeSuccess)
				change(forged)
				write(t, w, forged)
			}
			_, _ = w.Write([]byte("noise"))
			write(t, w, reply(m, 1, dns.RcodeSuccess))
		case "none":
			write(t, w, reply(m, 0, dns.RcodeNameError))
		case "broken":
			bare := reply(m, 0, dns.RcodeServerFailure)
			bare.Question = nil
			write(t, w, bare)
		default:
			write(t, w, reply(m, 1, dns.RcodeSuccess))
		}
	})
}

func TestOtherNamesAreAskedElsewhere(t *testing.T) {
	var r record
	s := start(t, r.start(t))
	populate(s)
	const one = "NOERROR 192.0.2.1"
	for _, c := range []struct {
		from string
		at   netip.Addr
		name string
		want string
	}{
		{"127.71.0.2", front, "example.net", one},
		{"127.71.0.2", front, "single", one}, // as a name without a dot on the host
		{"127.71.0.2", front, "none.example.net", "NXDOMAIN"},
		{"127.71.0.2", front, "broken.example.net", "SERVFAIL"},
		{"127.71.0.2", front, "forged.example.net", one},
		{"127.71.0.200", front, "example.net", one},
		{"127.72.0.3", back, "example.net", one}, // has a way out by its other network
		{"127.72.0.2", back, "leaks", "NXDOMAIN"},
		{"127.71.0.2", front, "nosuch.dns.hull", "NXDOMAIN"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			if got := text(ask(t, s, network, c.from, c.at, query(c.name, dns.TypeA))); got != c.want {
				t.Errorf("%s from %s over %s: %s, want %s", c.name, c.from, network, got, c.want)
			}
		}
	}
	for _, name := range []string{"leaks.", "nosuch.dns.hull."} {
		if r.get(name) != nil {
			t.Errorf("%s was asked elsewhere", name)
		}
	}
	if opt := r.get("example.net.").IsEdns0(); opt != nil {
		t.Errorf("the OPT record of a question that had none: %v", opt)
	}
}

func TestLargeAnswerOfAnotherServer(t *testing.T) {
	var r record
	s := start(t, r.start(t))
	for _, c := range []struct {
		network  string
		room     uint16
		complete bool
	}{{"tcp", 0, true}, {"udp", 4096, true}, {"udp", 0, false}, {"udp", 1232, false}} {
		m := query("large.example.net", dns.TypeA)
		if c.room > 0 {
			m.SetEdns0(c.room, true)
		}
		answer := ask(t, s, c.network, "127.71.0.2", front, m)
		if answer.Truncated == c.complete || (len(answer.Answer) == 100) != c.complete {
			t.Errorf("over %s with room for %d: %d records, truncated %v", c.network, c.room, len(answer.Answer), answer.Truncated)
		}
	}
	if opt := r.get("large.example.net.").IsEdns0(); opt == nil || opt.UDPSize() != ourSize || !opt.Do() {
		t.Errorf("the OPT record of a question that had one: %v", opt)
	}
}

func TestNextServerIsAsked(t *testing.T) {
	good := elsewhere(t, func(w dns.ResponseWriter, m *dns.Msg, _ bool) { write(t, w, reply(m, 1, dns.RcodeSuccess)) })
	refusing := elsewhere(t, func(w dns.ResponseWriter, m *dns.Msg, _ bool) { write(t, w, reply(m, 0, dns.RcodeRefused)) })
	closed := netip.AddrPortFrom(good.Addr(), freePort(t, good.Addr()))
	mute, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 71, 8, 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	silent := netip.MustParseAddrPort(mute.LocalAddr().String())
	for name, c := range map[string]struct {
		servers []netip.AddrPort
		want    string
	}{
		"closed":   {[]netip.AddrPort{closed, good}, "NOERROR 192.0.2.1"},
		"refusing": {[]netip.AddrPort{refusing, good}, "NOERROR 192.0.2.1"},
		"silent":   {[]netip.AddrPort{silent, good}, "NOERROR 192.0.2.1"},
		"none":     {[]netip.AddrPort{closed, refusing}, "REFUSED"},
		"dead":     {[]netip.AddrPort{closed}, "SERVFAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.servers...)
			if got := text(ask(t, s, "udp", "127.71.0.2", front, query("example.net", dns.TypeA))); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if name == "silent" { // and is not waited for again
				began := time.Now()
				ask(t, s, "udp", "127.71.0.2", front, query("example.net", dns.TypeA))
				if took := time.Since(began); took >= minPatience {
					t.Errorf("the second question took %v", took)
				}
			}
		})
	}
}

// The container's own servers come before the network's; those before the host's.
func TestWhoseServersAreAsked(t *testing.T) {
	own := elsewhere(t, func(w dns.ResponseWriter, m *dns.Msg, _ bool) { write(t, w, reply(m, 2, dns.RcodeSuccess)) })
	networks := elsewhere(t, func(w dns.ResponseWriter, m *dns.Msg, _ bool) { write(t, w, reply(m, 1, dns.RcodeSuccess)) })
	s := start(t, networks)
	populate(s)
	s.SetHost(Host{ID: "4", Addrs: map[string][]netip.Addr{"front": addrs("127.71.0.4")}, Servers: []netip.AddrPort{own}})
	s.SetHost(Host{ID: "5", Addrs: map[string][]netip.Addr{"back": addrs("127.72.0.5")}, Servers: []netip.AddrPort{own}})
	for from, want := range map[string]string{"127.71.0.4": "NOERROR 192.0.2.1 192.0.2.2", "127.71.0.2": "NOERROR 192.0.2.1"} {
		if got := text(ask(t, s, "udp", from, front, query("example.net", dns.TypeA))); got != want {
			t.Errorf("from %s: %s, want %s", from, got, want)
		}
	}
	if got := text(ask(t, s, "udp", "127.72.0.5", back, query("example.net", dns.TypeA))); got != "NXDOMAIN" {
		t.Errorf("an internal network's container with servers of its own: %s", got)
	}
}

func TestServerDoesNotAskItself(t *testing.T) {
	s := start(t)
	zone := s.zones["front"].Zone
	zone.Servers = []netip.AddrPort{netip.AddrPortFrom(back, s.options.Port)}
	if err := s.SetZone(t.Context(), zone); err != nil {
		t.Fatal(err)
	}
	if got := text(ask(t, s, "udp", "127.71.0.2", front, query("example.net", dns.TypeA))); got != "SERVFAIL" {
		t.Error(got)
	}
	if s.upstream.firstTime(zone.Servers[0]) {
		t.Error("nobody was told")
	}
}

func TestFloodIsRefused(t *testing.T) {
	server := elsewhere(t, func(w dns.ResponseWriter, m *dns.Msg, _ bool) { write(t, w, reply(m, 1, dns.RcodeSuccess)) })
	s := start(t, server)
	zone := s.zones["front"]
	one, other := netip.MustParseAddr("127.71.0.2"), netip.MustParseAddr("127.71.0.3")
	ask := func(from netip.Addr, network string) string {
		return text(ask(t, s, network, from.String(), front, query("example.net", dns.TypeA)))
	}
	for zone.enqueue(one) {
	}
	for _, network := range []string{"udp", "tcp"} {
		if got := ask(one, network); got != "SERVFAIL" {
			t.Errorf("who has its share, over %s: %s", network, got)
		}
		if got := ask(other, network); got != "NOERROR 192.0.2.1" {
			t.Errorf("another, over %s: %s", network, got)
		}
	}
	zone.queue.give(one)
	if got := ask(one, "udp"); got != "NOERROR 192.0.2.1" {
		t.Error(got)
	}
	for i := range byte(maxQueued / shareAsked) {
		for zone.enqueue(netip.AddrFrom4([4]byte{127, 71, 1, i})) {
		}
	}
	if got := ask(other, "udp"); got != "SERVFAIL" {
		t.Errorf("with no place left: %s", got)
	}
	zone.queue.give(one)
	for range maxAsked {
		zone.slots <- struct{}{}
	}
	if got := ask(other, "udp"); got != "SERVFAIL" { // after a second
		t.Error(got)
	}
}

// One container's connections leave room for those of others.
func TestConnectionsAreShared(t *testing.T) {
	s := start(t)
	populate(s)
	for range shareStreams {
		c, err := dial(t, s, "tcp", "127.71.0.2", front)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c, err := dial(t, s, "tcp", "127.71.0.2", front)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("one more is served")
	}
	if got := text(ask(t, s, "tcp", "127.71.0.3", front, query("web", dns.TypeA))); got != "NOERROR 127.71.0.2" {
		t.Errorf("another: %s", got)
	}
}

// Close does not wait for servers that do not answer.
func TestCloseEndsWhatIsAsked(t *testing.T) {
	asked := make(chan struct{})
	hold := make(chan struct{})
	server := elsewhere(t, func(dns.ResponseWriter, *dns.Msg, bool) {
		close(asked)
		<-hold
	})
	t.Cleanup(func() { close(hold) })
	s := start(t, server)
	s.upstream.current(nil)
	s.upstream.mu.Lock()
	s.upstream.resolver.timeout = time.Hour
	s.upstream.mu.Unlock()
	c, err := dial(t, s, "udp", "127.71.0.2", front)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	packed, err := query("example.net", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(packed); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := s.Close(); err != nil { // else the test ends by its own deadline
		t.Fatal(err)
	}
}

func TestAnswers(t *testing.T) {
	m, err := query("example.net", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	change := func(fn func(b []byte) []byte) []byte {
		b := append([]byte(nil), m...)
		b[2] |= responseBit
		return fn(b)
	}
	for name, c := range map[string]struct {
		answer []byte
		want   bool
	}{
		"same":           {change(func(b []byte) []byte { return b }), true},
		"other case":     {change(func(b []byte) []byte { b[headerSize+1] = 'E'; return b }), true},
		"other id":       {change(func(b []byte) []byte { b[0]++; return b }), false},
		"other name":     {change(func(b []byte) []byte { b[headerSize+1] = 'f'; return b }), false},
		"other class":    {change(func(b []byte) []byte { b[len(b)-1]++; return b }), false},
		"a question":     {m, false},
		"cut":            {change(func(b []byte) []byte { return b[:len(b)-1] }), false},
		"header":         {change(func(b []byte) []byte { return b[:headerSize] }), false},
		"short":          {change(func(b []byte) []byte { return b[:3] }), false},
		"bare":           {change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[4:], 0); return b[:headerSize] }), false},
		"bare and angry": {change(func(b []byte) []byte { b[5] = 0; b[3] = dns.RcodeRefused; return b[:headerSize] }), true},
	} {
		if got := answers(c.answer, m); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
