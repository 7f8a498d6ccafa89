package ports

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

const patience = 10 * time.Second

func tcp(host, inner uint16) network.Port {
	return network.Port{Host: host, Container: inner, Count: 1, Protocol: "tcp"}
}

func udp(host, inner uint16) network.Port {
	return network.Port{Host: host, Container: inner, Count: 1, Protocol: "udp"}
}

func hostIP(ip string, p network.Port) network.Port {
	p.HostIP = netip.MustParseAddr(ip)
	return p
}

func box(ports ...network.Port) Target {
	return Target{ID: "1", Name: "web", V4: box4, V6: box6, Ports: ports}
}

// ask connects and returns what the service says, and the client's own address.
func (l *lab) ask(where *netns.Thread, network, from, to string) (said, own string) {
	l.Helper()
	c, err := l.dial(where, network, from, to)
	l.must(err)
	defer c.Close()
	l.must(c.SetDeadline(time.Now().Add(patience)))
	if network == "udp" {
		_, err = c.Write([]byte("who am I?"))
		l.must(err)
		buf := make([]byte, 100)
		n, err := c.Read(buf)
		l.must(err)
		return string(buf[:n]), peer(c.LocalAddr())
	}
	data, err := io.ReadAll(c)
	l.must(err)
	return string(data), peer(c.LocalAddr())
}

// The service sees the client's address and port, unless there is no way back to it.
func TestServiceSeesTheClient(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, who)
	l.serveUDP(80)
	for name, c := range map[string]struct {
		target   Target
		where    *netns.Thread
		from, to string
		seen     string // "": the client's own
		island   bool   // the container has no default route
	}{
		"IPv4":                                 {where: l.client, to: host4},
		"IPv6":                                 {where: l.client, to: host6},
		"second address, IPv4":                 {where: l.client, to: hostToo4},
		"second address, IPv6":                 {where: l.client, to: hostToo6},
		"an address that is local inside":      {to: host4, from: host4},
		"the host's own":                       {to: hostToo4, from: hostToo4},
		"loopback, IPv4":                       {to: "127.0.0.1", seen: bridge4},
		"loopback, IPv6":                       {to: "::1", seen: bridge6},
		"an address of the container's subnet": {where: l.client, from: remote4, to: host4, seen: bridge4},
		"IPv6 to a container without":          {target: Target{V4: box4}, where: l.client, to: host6, seen: bridge4},
		"IPv4 to a container without":          {target: Target{V6: box6}, where: l.client, to: host4, seen: bridge6},
		"no default route, IPv4":               {island: true, where: l.client, to: host4},
		"no default route, IPv6":               {island: true, where: l.client, to: host6},
		"no default route, loopback":           {island: true, to: "127.0.0.1", seen: bridge4},
	} {
		for _, network := range []string{"tcp", "udp"} {
			t.Run(network+", "+name, func(t *testing.T) {
				l := *l
				l.TB = t
				target := c.target
				if !target.V4.IsValid() && !target.V6.IsValid() {
					target = box()
				}
				target.ID, target.Ports = "1", box(tcp(8080, 80), udp(8080, 80)).Ports
				if c.island {
					target.NoReturn = true
					l.withoutDefaultRoute(t)
				}
				l.must(l.Set(target))
				said, own := l.ask(c.where, network, c.from, net.JoinHostPort(c.to, "8080"))
				if c.seen != "" {
					if said = netip.MustParseAddrPort(said).Addr().String(); said != c.seen {
						t.Errorf("the service sees %s, want %s", said, c.seen)
					}
				} else if said != own {
					t.Errorf("the service sees %s, the client is %s", said, own)
				}
			})
		}
	}
}

// withoutDefaultRoute takes the container's default routes away until the end of a test.
func (l *lab) withoutDefaultRoute(t *testing.T) {
	t.Helper()
	each := func(change func(*netlink.Route) error) {
		l.do(l.box, func() error {
			return errors.Join(changeRoute(change, "eth0", "0.0.0.0/0", bridge4), changeRoute(change, "eth0", "::/0", bridge6))
		})
	}
	each(netlink.RouteDel)
	t.Cleanup(func() { each(netlink.RouteAdd) })
}

// Reverse path filters, as strict as they are, let the answers through; so does a namespace that inherited what WireGuard sets.
func TestStrictReversePath(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, who)
	l.serveUDP(80)
	strict := func(where *netns.Thread, files ...string) {
		l.do(where, func() (failed error) {
			for _, file := range files {
				failed = errors.Join(failed, os.WriteFile("/proc/sys/net/ipv4/conf/"+file, []byte("1"), 0))
			}
			return failed
		})
	}
	strict(l.inside, "all/rp_filter", "br/rp_filter", "veth/rp_filter", "all/src_valid_mark")
	strict(l.box, "all/rp_filter", "lo/rp_filter", "eth0/rp_filter", "all/src_valid_mark")
	l.must(Prepare(l.inside))
	l.must(l.Set(box(tcp(8080, 80), udp(8080, 80))))
	for _, network := range []string{"tcp", "udp"} {
		if said, own := l.ask(l.client, network, "", host4+":8080"); said != own {
			t.Errorf("%s: the service sees %s, the client is %s", network, said, own)
		}
	}
}

// One client's port may lead to two services, and to one by two ports of the host, where it is the source once only.
func TestOneClientPortForTwoPorts(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, func(c *net.TCPConn) { who(c); _, _ = io.Copy(io.Discard, c) })
	l.serveTCP(81, func(c *net.TCPConn) { who(c); _, _ = io.Copy(io.Discard, c) })
	l.must(l.Set(box(tcp(8080, 80), tcp(8081, 81), tcp(8082, 80))))
	source := netip.MustParseAddrPort(client4 + ":5555")
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(source), Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}}
	for port, want := range map[string]string{"8080": source.String(), "8081": source.String()} {
		said := l.hold(d, port)
		if said != want {
			t.Errorf("port %s: the service sees %s, want %s", port, said, want)
		}
	}
	if said := l.hold(d, "8082"); netip.MustParseAddrPort(said).Addr().String() != bridge4 {
		t.Errorf("the service sees %s, want the bridge's address", said)
	}
}

// hold connects, returns what the service says first, and stays connected.
func (l *lab) hold(d net.Dialer, port string) string {
	l.Helper()
	var c net.Conn
	l.do(l.client, func() (err error) {
		c, err = d.DialContext(l.Context(), "tcp", net.JoinHostPort(host4, port))
		return err
	})
	l.Cleanup(func() { _ = c.Close() })
	l.must(c.SetDeadline(time.Now().Add(patience)))
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	l.must(err)
	return string(buf[:n])
}

// A client that has said all it has to say still gets the whole answer.
func TestHalfClosed(t *testing.T) {
	l := newLab(t)
	const size = 10 << 20
	l.serveTCP(80, func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		_, _ = c.Write(bytes.Repeat([]byte{byte(n >> 20)}, size))
	})
	l.must(l.Set(box(tcp(8080, 80))))
	conn, err := l.dial(l.client, "tcp", "", host4+":8080")
	l.must(err)
	c := conn.(*net.TCPConn) //nolint:forcetypeassert // it is what a dial of tcp makes
	defer c.Close()
	l.must(c.SetDeadline(time.Now().Add(patience)))
	_, err = c.Write(make([]byte, size))
	l.must(err)
	l.must(c.CloseWrite())
	data, err := io.ReadAll(c)
	l.must(err)
	if len(data) != size || bytes.Count(data, []byte{10}) != size {
		t.Errorf("%d bytes came back, the first %v", len(data), data[:min(len(data), 4)])
	}
}

// Where nobody listens in the container, the client is told by a reset.
func TestRefused(t *testing.T) {
	l := newLab(t)
	l.must(l.Set(box(tcp(8080, 80), udp(8080, 80))))
	c, err := l.dial(l.client, "tcp", "", host4+":8080")
	if err == nil {
		defer c.Close()
		l.must(c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	u, err := l.dial(l.client, "udp", "", host4+":8080")
	l.must(err)
	defer u.Close()
	_, err = u.Write([]byte("nobody"))
	l.must(err)
	l.serveUDP(80) // and the port is in order when somebody does
	if said, own := l.ask(l.client, "udp", "", host4+":8080"); said != own {
		t.Errorf("the service sees %s, the client is %s", said, own)
	}
}

// echo is a connection through a port to a service that echoes.
type echo struct {
	*lab
	net.Conn
}

func (l *lab) echo(to string) echo {
	l.Helper()
	c, err := l.dial(l.client, "tcp", "", to)
	l.must(err)
	l.Cleanup(func() { _ = c.Close() })
	e := echo{l, c}
	l.must(e.try())
	return e
}

func (e echo) try() error {
	if err := e.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := e.Write([]byte("x")); err != nil {
		return err
	}
	_, err := e.Read(make([]byte, 1))
	return err
}

func (e echo) ended() bool {
	err := e.try()
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// Set ends what is gone and leaves alone what stays; on an error all is as before.
func TestSetKeepsWhatStays(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	l.serveTCP(81, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	l.must(l.Set(box(tcp(8080, 80), tcp(8081, 80), tcp(8082, 80))))
	stays, goes, turns := l.echo(host4+":8080"), l.echo(host4+":8081"), l.echo(host4+":8082")
	taken, err := net.Listen("tcp", ":9000")
	l.must(err)
	defer taken.Close()
	if err := l.Set(box(hostIP(host4, tcp(8080, 80)), tcp(9000, 80))); !errs.IsConflict(err) {
		t.Fatalf("%v, want a conflict", err)
	}
	for _, c := range []echo{stays, goes, turns, l.echo(hostToo4 + ":8080")} {
		l.must(c.try())
	}
	l.must(l.Set(box(tcp(8080, 80), tcp(8082, 81), tcp(8083, 80))))
	l.must(stays.try())
	if !goes.ended() {
		t.Error("the connection of a port that is gone lives on")
	}
	if !turns.ended() {
		t.Error("the connection of a port that leads elsewhere now lives on")
	}
	if _, err := l.dial(l.client, "tcp", "", host4+":8081"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a port that is gone: %v", err)
	}
	l.echo(host4 + ":8082")
	l.echo(host4 + ":8083")
	// The same number at one address: the wildcard is in its own way.
	l.must(l.Set(box(hostIP(host4, tcp(8080, 80)))))
	if !stays.ended() {
		t.Error("the connection of a port that is gone lives on")
	}
	l.echo(host4 + ":8080")
	if _, err := l.dial(l.client, "tcp", "", hostToo4+":8080"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("an address that is not published: %v", err)
	}
	last := l.echo(host4 + ":8080")
	l.Remove("1")
	if !last.ended() {
		t.Error("the connection of a container that is gone lives on")
	}
}

// A port that is taken: the error says who has it.
func TestTaken(t *testing.T) {
	l := newLab(t)
	l.must(l.Set(Target{ID: "2", Name: "db", V4: box4, Ports: []network.Port{hostIP("127.0.0.1", tcp(8080, 80)), udp(5353, 53)}}))
	own, err := os.ReadFile("/proc/self/comm")
	l.must(err)
	comm := strings.TrimSpace(string(own))
	tcp6, err := net.Listen("tcp6", "[::1]:9000")
	l.must(err)
	defer tcp6.Close()
	udp4, err := net.ListenPacket("udp4", "127.0.0.1:9000")
	l.must(err)
	defer udp4.Close()
	for want, p := range map[string]network.Port{
		"publish port 8080/tcp: container db has it":                           tcp(8080, 80),
		"publish port [::]:5353/udp: container db has it":                      hostIP("::", udp(5353, 53)),
		"publish port 9000/tcp: process ":                                      tcp(9000, 80),
		"publish port 127.0.0.1:9000/udp: process ":                            hostIP("127.0.0.1", udp(9000, 80)),
		"publish port 203.0.113.1:80/tcp: the host has no address 203.0.113.1": hostIP("203.0.113.1", tcp(80, 80)),
	} {
		err := l.Set(box(tcp(7000, 80), p))
		if err == nil || !strings.HasPrefix(err.Error(), want) || errs.Hint(err) == "" {
			t.Errorf("%v, want %q and a hint", err, want)
		}
		if strings.HasSuffix(want, "process ") && (!errs.IsConflict(err) || !strings.HasSuffix(err.Error(), "("+comm+") has it")) {
			t.Errorf("%v does not name %s", err, comm)
		}
	}
	if c, err := net.Dial("tcp", "127.0.0.1:7000"); err == nil {
		_ = c.Close()
		t.Error("a port is left open after an error")
	}
}

func TestBelow1024(t *testing.T) {
	err := new(Forwarder).explain("1", key{protocol: "tcp", number: 80}, unix.EACCES)
	if !strings.Contains(errs.Hint(err), "net.ipv4.ip_unprivileged_port_start=80") {
		t.Errorf("%v, hint %q", err, errs.Hint(err))
	}
}

func TestPortsThatCannotBe(t *testing.T) {
	for want, ports := range map[string][]network.Port{
		"only root can":            {{Host: 1, Container: 1, Count: 1, Protocol: "sctp"}},
		`there is no protocol "x"`: {{Host: 1, Container: 1, Count: 1, Protocol: "x"}},
		"ports are 1 to 65535":     {{Host: 65535, Container: 1, Count: 2, Protocol: "tcp"}},
		"published twice":          {tcp(80, 80), hostIP("127.0.0.1", tcp(80, 81))},
	} {
		if _, err := box(ports...).expand(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	all, err := box(network.Port{Host: 1, Container: 1, Count: 65535, Protocol: "tcp"}, hostIP("::", udp(1, 1)), hostIP("0.0.0.0", udp(1, 1))).expand()
	if err != nil || len(all) != 65537 {
		t.Errorf("%d ports, %v", len(all), err)
	}
}

// A flow that was idle, or the oldest of too many, is forgotten, and made anew with the same source.
func TestFlowsEnd(t *testing.T) {
	l := newLab(t)
	l.serveUDP(80)
	l.flows.most = 2
	l.must(l.Set(box(udp(8080, 80))))
	first, err := l.dial(l.client, "udp", "", host4+":8080")
	l.must(err)
	defer first.Close()
	try := func() {
		t.Helper()
		l.must(first.SetDeadline(time.Now().Add(patience)))
		_, err := first.Write(nil) // an empty datagram is one too
		l.must(err)
		buf := make([]byte, 100)
		n, err := first.Read(buf)
		l.must(err)
		if string(buf[:n]) != peer(first.LocalAddr()) {
			t.Errorf("the service sees %s", buf[:n])
		}
	}
	try()
	for range 5 {
		l.ask(l.client, "udp", "", host4+":8080")
	}
	if n := l.count(); n != 2 {
		t.Errorf("%d flows, want 2", n)
	}
	try()
	idle := func(limit time.Duration) {
		l.flows.mu.Lock()
		defer l.flows.mu.Unlock()
		l.flows.idle = limit
		l.flows.timer.Reset(0)
	}
	idle(time.Millisecond)
	for deadline := time.Now().Add(patience); l.count() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d flows are left", l.count())
		}
	}
	idle(idleFlow)
	try()
}

func (l *lab) count() int {
	l.flows.mu.Lock()
	defer l.flows.mu.Unlock()
	return len(l.flows.all)
}
