package server

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
)

// lab is a hull-net without its socket, and containers that are namespaces.
type lab struct {
	*testing.T
	dir    string
	root   bool   // hull-net is root's
	dns    uint16 // port of its name server
	server *Server
	lock   *lockfile.Lock
	boxes  map[string]*box
}

// box is a container.
type box struct {
	lab    *lab
	name   string
	path   string // of its namespace
	thread *netns.Thread
	joins  []network.Join
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return startLab(labOf(t, 53))
}

// labOf is a lab that has not started, with the port of its name server.
func labOf(t *testing.T, dns uint16) *lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	return &lab{T: t, dir: t.TempDir(), dns: dns, boxes: map[string]*box{}}
}

func startLab(l *lab) *lab {
	t := l.T
	t.Helper()
	l.start()
	t.Cleanup(func() {
		for _, b := range l.boxes {
			b.detach()
			b.thread.Close()
			if err := netns.Remove(b.path); err != nil {
				t.Error(err)
			}
		}
		l.server.close()
		l.lock.Unlock()
		if netns.Mounted(filepath.Join(l.dir, wire.Namespace)) {
			t.Error("the namespace of the bridges is left")
		}
	})
	return l
}

// start begins as hull-net does, with what the last one left.
func (l *lab) start() {
	l.Helper()
	conf := filepath.Join(l.dir, "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.1\n"), 0o600); err != nil {
		l.Fatal(err)
	}
	s, lock, err := open(Options{Dir: l.dir, Root: l.root, ResolvConf: conf, DNSPort: l.dns, Uplink: "slirp4netns"})
	if err != nil {
		l.Fatal(err)
	}
	l.server, l.lock = s, lock
	if err := s.restore(l.Context()); err != nil {
		l.Fatal(err)
	}
}

// crash leaves what a killed hull-net leaves.
func (l *lab) crash() {
	l.Helper()
	s := l.server
	s.leases.Close()
	_, _ = s.ports.Close(), s.names.Close()
	_ = s.table.Close()
	s.inside.Close()
	l.lock.Unlock()
}

// testNetwork is an internal network: it needs no way out.
func testNetwork(number int, change ...func(*network.Network)) network.Network {
	n := network.Network{
		Name: fmt.Sprintf("net%d", number), ID: fmt.Sprintf("%064x", number), Driver: network.DriverBridge,
		Interface: fmt.Sprintf("hull%d", number), DNS: true, IPv6: true, Internal: true, Options: map[string]string{},
		Subnets: []network.Subnet{
			{Prefix: netip.MustParsePrefix(fmt.Sprintf("10.7.%d.0/24", number)), Gateway: netip.MustParseAddr(fmt.Sprintf("10.7.%d.1", number))},
			{Prefix: netip.MustParsePrefix(fmt.Sprintf("fd07:%d::/64", number)), Gateway: netip.MustParseAddr(fmt.Sprintf("fd07:%d::1", number))},
		},
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

// routed has a network lead to the others, as one with a way out does.
func routed(n *network.Network) { n.Internal = false }

// box makes a container that is on nothing.
func (l *lab) box(name string) *box {
	l.Helper()
	b := &box{lab: l, name: name, path: filepath.Join(l.dir, "box-"+name)}
	if err := netns.Create(b.path); err != nil {
		l.Fatal(err)
	}
	thread, err := netns.Enter(b.path)
	if err != nil {
		l.Fatal(err)
	}
	b.thread = thread
	l.boxes[name] = b
	return b
}

func (b *box) id() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(b.name))) }

func (l *lab) do(r wire.Request) (*network.Attachment, error) {
	a, err := l.server.do(l.Context(), &r)
	if err != nil {
		return nil, err
	}
	return a.Attachment, nil
}

// try attaches the container to networks.
func (b *box) try(joins ...network.Join) error {
	a, err := b.lab.do(wire.Request{Op: wire.Attach, Attachment: &network.Attachment{ID: b.id(), Name: b.name, NetNS: b.path, Joins: joins}})
	if err == nil {
		b.joins = a.Joins
	}
	return err
}

// on makes a container on networks.
func (l *lab) on(name string, networks ...network.Network) *box {
	l.Helper()
	b := l.box(name)
	var joins []network.Join
	for _, n := range networks {
		joins = append(joins, network.Join{Network: n, Aliases: []string{"alias-" + name}})
	}
	if err := b.try(joins...); err != nil {
		l.Fatal(err)
	}
	return b
}

// detach takes the container off its networks, and waits until its links are gone.
func (b *box) detach() {
	b.lab.Helper()
	if _, err := b.lab.do(wire.Request{Op: wire.Detach, ID: b.id()}); err != nil {
		b.lab.Error(err)
	}
	b.joins = nil
	s := b.lab.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.leaving) > 0 {
		s.left.Wait()
	}
}

// address is the container's n-th on its first network: 0 is IPv4, 1 IPv6.
func (b *box) address(n int) netip.Addr { return b.joins[0].Given[n].Addr() }

// listen has the container greet who connects to port 80.
func (b *box) listen() {
	b.lab.Helper()
	err := b.thread.Do(func() error {
		listener, err := net.Listen("tcp", ":80")
		if err != nil {
			return err
		}
		b.lab.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				_, _ = io.WriteString(c, b.name+" to "+host)
				_ = c.Close()
			}
		}()
		return nil
	})
	if err != nil {
		b.lab.Fatal(err)
	}
}

// short is what a packet that is dropped is waited for: it is sent again within it.
const short = 1500 * time.Millisecond

// get connects to an address and returns what it hears; from may be empty.
func (b *box) get(to netip.AddrPort, from string) (string, error) {
	var conn net.Conn
	err := b.thread.Do(func() (err error) {
		d := net.Dialer{Timeout: short}
		if from != "" {
			d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		}
		conn, err = d.Dial("tcp", to.String())
		return err
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(short))
	data, err := io.ReadAll(conn)
	return string(data), err
}

// reaches reports whether the container hears the other at its n-th address.
func (b *box) reaches(other *box, n int) bool {
	text, err := b.get(netip.AddrPortFrom(other.address(n), 80), "")
	return err == nil && strings.HasPrefix(text, other.name+" to ")
}

// resolve asks the name server of the container's first network.
func (b *box) resolve(name string, kind uint16) (string, error) {
	return b.askServer("udp", netip.AddrPortFrom(b.joins[0].Servers[0], 53), name, kind)
}

// askServer asks a name server, over udp or tcp.
func (b *box) askServer(protocol string, server netip.AddrPort, name string, kind uint16) (string, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	var conn net.Conn
	err := b.thread.Do(func() (err error) {
		conn, err = net.DialTimeout(protocol, server.String(), short)
		return err
	})
	if err != nil {
		return "", err
	}
	c := &dns.Conn{Conn: conn}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(short))
	if err := c.WriteMsg(m); err != nil {
		return "", err
	}
	answer, err := c.ReadMsg()
	if err != nil {
		return "", err
	}
	if len(answer.Answer) == 0 {
		return dns.RcodeToString[answer.Rcode], nil
	}
	var all []string
	for _, rr := range answer.Answer {
		fields := strings.Fields(rr.String())
		all = append(all, fields[len(fields)-1])
	}
	return strings.Join(all, " "), nil
}
