package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// loopback listens in the namespace of the test.
type loopback struct{}

func (loopback) ListenUDP(_ context.Context, at netip.AddrPort) (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
}

func (loopback) ListenTCP(_ context.Context, at netip.AddrPort) (net.Listener, error) {
	return net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
}

// The networks of the tests lie in 127.0.0.0/8, all of which is this machine. Port is free on the address.
var (
	front = netip.MustParseAddr("127.71.0.1")
	back  = netip.MustParseAddr("127.72.0.1")
)

func prefix(t testing.TB, text string) []netip.Prefix {
	t.Helper()
	p, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return []netip.Prefix{p}
}

// freePort finds a port that is free for UDP and TCP on these addresses.
func freePort(t testing.TB, addrs ...netip.Addr) uint16 {
	t.Helper()
	for range 100 {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: addrs[0].AsSlice()})
		if err != nil {
			t.Fatal(err)
		}
		port := netip.MustParseAddrPort(l.Addr().String()).Port()
		_ = l.Close()
		free := true
		for _, addr := range addrs {
			udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
			if err != nil {
				free = false
				continue
			}
			_ = udp.Close()
		}
		if free {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// start makes a server with the two networks, front, which forwards to these servers, and back, which is internal.
func start(t testing.TB, servers ...netip.AddrPort) *Server {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.71.99.99\noptions timeout:1 attempts:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Inside: loopback{}, ResolvConf: conf, Port: freePort(t, front, back), Log: func(line string) { t.Log(line) }})
	t.Cleanup(func() { _ = s.Close() })
	for _, z := range []Zone{
		{Name: "front", Listen: []netip.Addr{front}, Subnets: prefix(t, "127.71.0.0/16"), Names: true, Forward: true, Servers: servers},
		{Name: "back", Listen: []netip.Addr{back}, Subnets: prefix(t, "127.72.0.0/16"), Names: true},
	} {
		if err := s.SetZone(t.Context(), z); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// ask asks the server at an address as the container with another one would.
func ask(t testing.TB, s *Server, network, from string, at netip.Addr, m *dns.Msg) *dns.Msg {
	t.Helper()
	c, err := dial(t, s, network, from, at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	conn := &dns.Conn{Conn: c, UDPSize: dns.MaxMsgSize}
	if err := conn.WriteMsg(m); err != nil {
		t.Fatal(err)
	}
	answer, err := conn.ReadMsg()
	if err != nil {
		t.Fatalf("%s from %s: %v", m.Question[0].Name, from, err)
	}
	if answer.Id != m.Id || !answer.Response {
		t.Errorf("not an answer: %v", answer.MsgHdr)
	}
	return answer
}

func dial(t testing.TB, s *Server, network, from string, at netip.Addr) (net.Conn, error) {
	t.Helper()
	local := netip.AddrPortFrom(netip.MustParseAddr(from), 0)
	d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(local)}
	if network == "tcp" {
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	return d.DialContext(t.Context(), network, netip.AddrPortFrom(at, s.options.Port).String())
}

func query(name string, kind uint16) *dns.Msg { return new(dns.Msg).SetQuestion(dns.Fqdn(name), kind) }

// text is an answer in short: its code and what the records say.
func text(m *dns.Msg) string {
	parts := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			parts = append(parts, rr.A.String())
		case *dns.AAAA:
			parts = append(parts, rr.AAAA.String())
		case *dns.PTR:
			parts = append(parts, rr.Ptr)
		default:
			parts = append(parts, rr.String())
		}
		if rr.Header().Ttl != 0 && m.Authoritative {
			parts = append(parts, "TTL")
		}
	}
	return strings.Join(parts, " ")
}

func populate(s *Server) {
	s.SetHost(Host{
		ID: "1", Names: []string{"web", "0123456789ab", strings.Repeat("x", 64), "Web."},
		Aliases: map[string][]string{"front": {"www.example.net"}},
		Addrs:   map[string][]netip.Addr{"front": addrs("127.71.0.2", "fd00::2")},
	})
	s.SetHost(Host{ID: "2", Names: []string{"db"}, Addrs: map[string][]netip.Addr{"back": addrs("127.72.0.2")}})
	s.SetHost(Host{
		ID: "3", Names: []string{"app"}, Aliases: map[string][]string{"back": {"inner"}},
		Addrs: map[string][]netip.Addr{"front": addrs("127.71.0.3"), "back": addrs("::ffff:127.72.0.3")},
	})
}

func TestContainersFindEachOther(t *testing.T) {
	s := start(t)
	populate(s)
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			from string
			at   netip.Addr
			name string
			kind uint16
			want string
		}{
			{"127.71.0.3", front, "web", dns.TypeA, "NOERROR 127.71.0.2"},
			{"127.71.0.3", front, "WeB", dns.TypeA, "NOERROR 127.71.0.2"},
			{"127.71.0.3", front, "web.dns.podman", dns.TypeA, "NOERROR 127.71.0.2"},
			{"127.71.0.3", front, "web.DNS.hull", dns.TypeAAAA, "NOERROR fd00::2"},
			{"127.71.0.3", front, "0123456789ab", dns.TypeA, "NOERROR 127.71.0.2"},
			{"127.71.0.3", front, "www.example.net", dns.TypeA, "NOERROR 127.71.0.2"},
			{"127.71.0.3", front, "web", dns.TypeMX, "NOERROR"},
			{"127.71.0.2", front, "app", dns.TypeAAAA, "NOERROR"},
			{"127.71.0.2", front, "nosuch.dns.podman", dns.TypeA, "NXDOMAIN"},
			{"127.71.0.2", front, "2.0.71.127.in-addr.arpa", dns.TypePTR, "NOERROR web. 0123456789ab. www.example.net."},
			{"127.71.0.2", front, reverse(t, "fd00::2"), dns.TypePTR, "NOERROR web. 0123456789ab. www.example.net."},
			{"127.71.0.2", front, "2.0.71.127.in-addr.arpa", dns.TypeA, "NOERROR"},
			{"127.71.0.2", front, "9.0.71.127.in-addr.arpa", dns.TypePTR, "NXDOMAIN"},
			{"127.71.0.2", front, "app", dns.TypeA, "NOERROR 127.71.0.3"}, // not its address on a network that web is not on
			// On both networks: their names, from wherever it asks.
			{"127.71.0.3", front, "db", dns.TypeA, "NOERROR 127.72.0.2"},
			{"127.72.0.3", back, "web", dns.TypeA, "NOERROR 127.71.0.2"},
			{"127.71.0.3", front, "2.0.72.127.in-addr.arpa", dns.TypePTR, "NOERROR db."},
			// The internal network: its names, and nothing else there is.
			{"127.72.0.2", back, "inner", dns.TypeA, "NOERROR 127.72.0.3"},
			{"127.72.0.2", back, "web", dns.TypeA, "NXDOMAIN"},
			{"127.72.0.2", back, "example.net", dns.TypeA, "NXDOMAIN"},
			{"127.72.0.2", back, "2.0.71.127.in-addr.arpa", dns.TypePTR, "NXDOMAIN"},
			{"127.72.0.9", back, "db", dns.TypeA, "NOERROR 127.72.0.2"}, // no container, but on the network
			{"127.72.0.9", back, "app", dns.TypeA, "NOERROR 127.72.0.3"},
			// What nobody needs.
			{"127.71.0.3", front, "web", dns.TypeANY, "REFUSED"},
			{"127.71.0.3", front, "web", dns.TypeAXFR, "REFUSED"},
		} {
			if got := text(ask(t, s, network, c.from, c.at, query(c.name, c.kind))); got != c.want {
				t.Errorf("%s from %s over %s: %s %s: %s, want %s", c.at, c.from, network, c.name, dns.TypeToString[c.kind], got, c.want)
			}
		}
	}
	chaos := query("version.bind", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	if got := text(ask(t, s, "udp", "127.71.0.3", front, chaos)); got != "REFUSED" {
		t.Errorf("class CHAOS: %s", got)
	}
}

func reverse(t *testing.T, addr string) string {
	t.Helper()
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestHostsComeAndGo(t *testing.T) {
	s := start(t)
	populate(s)
	expect := func(when, name, want string) {
		t.Helper()
		if got := text(ask(t, s, "udp", "127.72.0.9", back, query(name, dns.TypeA))); got != want {
			t.Errorf("%s: %s: %s, want %s", when, name, got, want)
		}
	}
	s.SetHost(Host{ID: "2", Names: []string{"postgres"}, Addrs: map[string][]netip.Addr{"back": addrs("127.72.0.4")}})
	expect("renamed", "db", "NXDOMAIN")
	expect("renamed", "postgres", "NOERROR 127.72.0.4")
	s.SetHost(Host{ID: "4", Names: []string{"postgres"}, Addrs: map[string][]netip.Addr{"back": addrs("127.72.0.4")}}) // its address, too
	s.RemoveHost("2")
	s.RemoveHost("2")
	expect("one of two removed", "postgres", "NOERROR 127.72.0.4")
	expect("one of two removed", "4.0.72.127.in-addr.arpa", "NOERROR")
	s.RemoveHost("4")
	expect("removed", "postgres", "NXDOMAIN")
	// A zone may come after its hosts, and hosts outlive it.
	s.SetHost(Host{ID: "5", Names: []string{"early"}, Addrs: map[string][]netip.Addr{"late": addrs("127.72.0.5")}})
	s.RemoveZone("back")
	if err := s.SetZone(t.Context(), Zone{Name: "late", Listen: []netip.Addr{back}, Subnets: prefix(t, "127.72.0.0/16"), Names: true}); err != nil {
		t.Fatal(err)
	}
	expect("a zone set late", "early", "NOERROR 127.72.0.5")
	s.RemoveZone("late")
	s.RemoveZone("late")
	for _, id := range []string{"1", "3", "5"} {
		s.RemoveHost(id)
	}
	if len(s.hosts) != 0 || len(s.zones) != 1 {
		t.Errorf("%d hosts and %d zones are left, want 0 and front", len(s.hosts), len(s.zones))
	}
}

func TestManyContainersOfOneAlias(t *testing.T) {
	s := start(t)
	const many = 60
	for i := range many {
		s.SetHost(Host{ID: fmt.Sprint(i), Aliases: map[string][]string{"front": {"pool"}}, Addrs: map[string][]netip.Addr{"front": addrs(fmt.Sprintf("127.71.1.%d", i))}})
	}
	first := make(map[string]bool)
	for range many {
		answer := ask(t, s, "tcp", "127.71.0.3", front, query("pool", dns.TypeA))
		if len(answer.Answer) != many {
			t.Fatalf("%d addresses over TCP, want %d", len(answer.Answer), many)
		}
		first[text(&dns.Msg{Answer: answer.Answer[:1]})] = true
	}
	if len(first) != many {
		t.Errorf("%d of the containers came first, want each once", len(first))
	}
	answer := ask(t, s, "udp", "127.71.0.3", front, query("pool", dns.TypeA))
	if !answer.Truncated || len(answer.Answer) == many {
		t.Errorf("truncated %v with %d addresses in 512 bytes", answer.Truncated, len(answer.Answer))
	}
	answer = ask(t, s, "udp", "127.71.0.3", front, query("pool", dns.TypeA).SetEdns0(4096, true))
	if answer.Truncated || len(answer.Answer) != many || answer.IsEdns0() == nil {
		t.Errorf("truncated %v with %d addresses in 4096 bytes", answer.Truncated, len(answer.Answer))
	}
	odd := query("pool", dns.TypeA).SetEdns0(4096, false)
	odd.IsEdns0().SetVersion(1)
	if answer := ask(t, s, "udp", "127.71.0.3", front, odd); answer.Rcode != dns.RcodeBadVers {
		t.Errorf("EDNS version 1: %s", text(answer))
	}
}

// Who is not on the network gets nothing, not even an error: the address may be that of a victim.
func TestStrangerGetsNothing(t *testing.T) {
	s := start(t)
	populate(s)
	packed, err := query("web", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := dial(t, s, "udp", "127.73.0.1", front)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Write(packed); err != nil {
		t.Fatal(err)
	}
	friend, err := dial(t, s, "udp", "127.71.0.3", front)
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	packed[2] |= responseBit // two servers would answer each other for ever
	if _, err := friend.Write(packed); err != nil {
		t.Fatal(err)
	}
	stream, err := dial(t, s, "tcp", "127.73.0.1", front)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if n, err := stream.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("a stranger's connection is served")
	}
	ask(t, s, "udp", "127.71.0.3", front, query("web", dns.TypeA)) // read after the others
	if err := s.Close(); err != nil {                              // all that was read has been answered
		t.Fatal(err)
	}
	for name, c := range map[string]net.Conn{"a stranger": stranger, "an answer": friend} {
		udp, ok := c.(*net.UDPConn)
		if !ok {
			t.Fatalf("%T", c)
		}
		raw, err := udp.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) {
			if n, _, err := unix.Recvfrom(int(fd), make([]byte, 512), unix.MSG_DONTWAIT); !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("%s is answered: %d bytes, %v", name, n, err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on the loopback:", err)
	}
	_ = l.Close()
	s := start(t)
	populate(s)
	six := netip.MustParseAddr("::1")
	if err := s.SetZone(t.Context(), Zone{Name: "six", Listen: []netip.Addr{six}, Subnets: prefix(t, "::1/128"), Names: true}); err != nil {
		t.Fatal(err)
	}
	s.SetHost(Host{ID: "6", Names: []string{"six"}, Addrs: map[string][]netip.Addr{"six": {six}, "front": addrs("127.71.0.6")}})
	for _, network := range []string{"udp", "tcp"} {
		for name, want := range map[string]string{"six": "NOERROR ::1", "web": "NOERROR fd00::2"} {
			if got := text(ask(t, s, network, "::1", six, query(name, dns.TypeAAAA))); got != want {
				t.Errorf("%s over %s: %s, want %s", name, network, got, want)
			}
		}
	}
}

func TestSetZone(t *testing.T) {
	s := start(t)
	populate(s)
	zone := s.zones["front"]
	before := zone.sockets[0]
	again := zone.Zone
	if err := s.SetZone(t.Context(), again); err != nil || len(zone.sockets) != 1 || zone.sockets[0] != before {
		t.Errorf("set again: %v, %d sockets", err, len(zone.sockets))
	}
	other := netip.MustParseAddr("127.71.0.99")
	again.Listen = []netip.Addr{other, back} // which is taken
	if err := s.SetZone(t.Context(), again); err == nil || !strings.Contains(err.Error(), `network "front"`) {
		t.Errorf("an address that is taken: %v", err)
	}
	if len(zone.sockets) != 1 || zone.sockets[0] != before || !slices.Equal(zone.Listen, []netip.Addr{front}) {
		t.Error("a change that failed has changed something")
	}
	again.Listen = []netip.Addr{other, other}
	if err := s.SetZone(t.Context(), again); err != nil || len(zone.sockets) != 1 {
		t.Fatalf("%v, %d sockets", err, len(zone.sockets))
	}
	if got := text(ask(t, s, "udp", "127.71.0.3", other, query("web", dns.TypeA))); got != "NOERROR 127.71.0.2" {
		t.Errorf("at the new address: %s", got)
	}
	if _, err := dial(t, s, "tcp", "127.71.0.3", front); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("the old address: %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.SetZone(t.Context(), again); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
