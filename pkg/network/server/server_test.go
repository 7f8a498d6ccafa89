package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/wire"
)

func TestContainersReachEachOther(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	a, b := l.on("a", n), l.on("b", n)
	b.listen()
	for family := range 2 {
		if !a.reaches(b, family) {
			t.Errorf("a does not reach %s", b.address(family))
		}
	}
	for name, want := range map[string]string{
		"b": b.address(0).String(), "alias-b": b.address(0).String(), b.id()[:12]: b.address(0).String(), "B.dns.podman": b.address(0).String(),
		"nobody": "NXDOMAIN", "debian.org": "NXDOMAIN",
	} {
		if got, err := a.resolve(name, dns.TypeA); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
	if got, err := a.resolve("b", dns.TypeAAAA); err != nil || got != b.address(1).String() {
		t.Errorf("b is %q, %v in IPv6", got, err)
	}
	b.detach()
	if got, err := a.resolve("b", dns.TypeA); err != nil || got != "NXDOMAIN" {
		t.Errorf("b has left and is %q, %v", got, err)
	}
	b.detach() // again
	a.detach()
	if files, err := os.ReadDir(filepath.Join(l.dir, wire.Attachments)); err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
	if left := l.bridges(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAddresses(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1, func(n *network.Network) { n.Subnets = n.Subnets[:1] })
	a := l.on("a", n)
	if got := a.joins[0].Given[0].String(); got != "10.7.1.2/24" {
		t.Errorf("the first is %s", got)
	}
	first := a.joins[0]
	a.detach()
	if err := a.try(network.Join{Network: n}); err != nil || a.joins[0].Given[0].String() != "10.7.1.3/24" {
		t.Errorf("an address is given out again at once: %v, %v", a.joins, err)
	}
	if a.joins[0].MAC != first.MAC {
		t.Errorf("its MAC was %s and is %s", first.MAC, a.joins[0].MAC)
	}
	ask := func(text string) network.Join {
		return network.Join{Network: n, IPs: []netip.Addr{netip.MustParseAddr(text)}, MAC: "02:11:22:33:44:55", Interface: "net7"}
	}
	b := l.box("b")
	for text, class := range map[string]func(error) bool{
		"10.7.1.3": errs.IsConflict, "10.7.1.1": isInvalid, "10.8.0.1": isInvalid, "fd07:1::5": isInvalid,
	} {
		if err := b.try(ask(text)); err == nil || !class(err) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if files, _ := os.ReadDir(filepath.Join(l.dir, wire.Attachments)); len(files) != 1 {
		t.Errorf("a refusal left %v", files)
	}
	if err := b.try(ask("10.7.1.99")); err != nil || b.address(0).String() != "10.7.1.99" || b.joins[0].MAC != "02:11:22:33:44:55" {
		t.Fatalf("%v, %v", b.joins, err)
	}
	err := b.thread.Do(func() error {
		link, err := netlink.LinkByName("net7")
		if err == nil && link.Attrs().HardwareAddr.String() != "02:11:22:33:44:55" {
			t.Errorf("MAC %s", link.Attrs().HardwareAddr)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func isInvalid(err error) bool { return !errs.IsConflict(err) && !errs.IsNotFound(err) }

func TestFullNetwork(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1, func(n *network.Network) {
		n.Subnets = []network.Subnet{{Prefix: netip.MustParsePrefix("10.7.1.0/30"), Gateway: netip.MustParseAddr("10.7.1.1")}}
	})
	l.on("a", n)
	if err := l.box("b").try(network.Join{Network: n}); err == nil || !strings.Contains(err.Error(), "10.7.1.0/30") {
		t.Errorf("a second container in a /30: %v", err)
	}
}

// Isolation is who reaches whom between two networks.
func TestIsolation(t *testing.T) {
	isolate := func(how string) func(*network.Network) {
		return func(n *network.Network) { n.Options[network.OptionIsolate] = how }
	}
	for name, c := range map[string]struct {
		one, two []func(*network.Network)
		reaches  bool
	}{
		"neither":           {nil, nil, true},
		"one":               {[]func(*network.Network){isolate("true")}, nil, true},
		"both":              {[]func(*network.Network){isolate("true")}, []func(*network.Network){isolate("true")}, false},
		"strict":            {[]func(*network.Network){isolate("strict")}, nil, false},
		"strict other":      {nil, []func(*network.Network){isolate("strict")}, false},
		"not, said aloud":   {[]func(*network.Network){isolate("false")}, []func(*network.Network){isolate("true")}, true},
		"an internal one":   {[]func(*network.Network){func(n *network.Network) { n.Internal = true }}, nil, false},
		"an internal other": {nil, []func(*network.Network){func(n *network.Network) { n.Internal = true }}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			one := testNetwork(1, append([]func(*network.Network){routed}, c.one...)...)
			two := testNetwork(2, append([]func(*network.Network){routed}, c.two...)...)
			a, b, d := l.on("a", one), l.on("b", two), l.on("d", two)
			b.listen()
			for family := range 2 {
				if got := a.reaches(b, family); got != c.reaches {
					t.Errorf("over IPv%d a reaches b: %v", 4+2*family, got)
				}
			}
			if !d.reaches(b, 0) {
				t.Error("d does not reach b of its own network")
			}
		})
	}
}

// A container names other networks' containers only when it is on them.
func TestNamesOfOtherNetworks(t *testing.T) {
	l := newLab(t)
	one, two := testNetwork(1), testNetwork(2)
	a, both := l.on("a", one), l.on("both", one, two)
	l.on("b", two)
	if got, err := a.resolve("b", dns.TypeA); err != nil || got != "NXDOMAIN" {
		t.Errorf("a knows b: %q, %v", got, err)
	}
	if got, err := both.resolve("b", dns.TypeA); err != nil || got != l.boxes["b"].address(0).String() {
		t.Errorf("both does not know b: %q, %v", got, err)
	}
}

// A container may have NET_ADMIN and give its interface what it likes: the others do not hear it.
func TestSpoofing(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	a, b := l.on("a", n), l.on("b", n)
	b.listen()
	forge := func(change func(netlink.Link) error) {
		t.Helper()
		if err := a.thread.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			return change(link)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for family, text := range []string{"10.7.1.77/24", "fd07:1::77/64"} {
		address, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		forge(func(link netlink.Link) error { return netlink.AddrAdd(link, address) })
		if out, err := a.get(netip.AddrPortFrom(b.address(family), 80), address.IP.String()); err == nil {
			t.Errorf("from %s: %q", text, out)
		}
		forge(func(link netlink.Link) error { return netlink.AddrDel(link, address) })
		if !a.reaches(b, family) {
			t.Errorf("with its own address it does not reach b over IPv%d", 4+2*family)
		}
	}
	forge(func(link netlink.Link) error {
		return netlink.LinkSetHardwareAddr(link, net.HardwareAddr{2, 0, 0, 0, 0, 9})
	})
	if a.reaches(b, 0) {
		t.Error("with a forged MAC it reaches b")
	}
}

// Nothing that listens in the namespace of the bridges is for containers, but for the name server of their own network.
func TestGateway(t *testing.T) {
	l := newLab(t)
	a := l.on("a", testNetwork(1, routed))
	l.on("b", testNetwork(2, routed))
	if err := l.server.inside.Do(func() error {
		listener, err := net.Listen("tcp", ":4444")
		if err == nil {
			t.Cleanup(func() { _ = listener.Close() })
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.get(netip.MustParseAddrPort("10.7.1.1:4444"), ""); err == nil {
		t.Error("a container reaches what listens at its gateway")
	}
	if got, err := a.resolve("a", dns.TypeA); err != nil || got != a.address(0).String() {
		t.Errorf("its own name server: %q, %v", got, err)
	}
	a.joins[0].Servers[0] = netip.MustParseAddr("10.7.2.1")
	if got, err := a.resolve("b", dns.TypeA); err == nil {
		t.Errorf("the name server of another network says %q", got)
	}
}

// What has been answered is read without the lock, while a lease or network update changes what the server knows.
func TestAnswerIsACopy(t *testing.T) {
	l := newLab(t)
	n, m := testNetwork(1), testNetwork(2)
	a := l.on("a", n)
	if &a.joins[0] == &l.server.attached[a.id()].Joins[0] {
		t.Error("attach answers with what the server changes")
	}
	for what, r := range map[string]wire.Request{
		"connect":    {Op: wire.Connect, ID: a.id(), Join: &network.Join{Network: m}},
		"again":      {Op: wire.Connect, ID: a.id(), Join: &network.Join{Network: n}},
		"ports":      {Op: wire.Ports, ID: a.id()},
		"disconnect": {Op: wire.Disconnect, ID: a.id(), Network: &m},
	} {
		got, err := l.do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got == l.server.attached[a.id()] || &got.Joins[0] == &l.server.attached[a.id()].Joins[0] {
			t.Errorf("%s answers with what the server changes", what)
		}
	}
}

func TestConnectAndDisconnect(t *testing.T) {
	l := newLab(t)
	one, two := testNetwork(1), testNetwork(2)
	a, b := l.on("a", one), l.on("b", two)
	b.listen()
	got, err := l.do(wire.Request{Op: wire.Connect, ID: a.id(), Join: &network.Join{Network: two, Aliases: []string{"guest"}}})
	if err != nil || len(got.Joins) != 2 || got.Joins[1].Interface != "eth1" {
		t.Fatalf("%+v, %v", got, err)
	}
	if !a.reaches(b, 0) {
		t.Error("a does not reach b on the network that it was put on")
	}
	if name, err := b.resolve("guest", dns.TypeA); err != nil || name != got.Joins[1].Given[0].Addr().String() {
		t.Errorf("guest is %q, %v", name, err)
	}
	if _, err := l.do(wire.Request{Op: wire.Disconnect, ID: a.id(), Network: &one}); err != nil {
		t.Fatal(err)
	}
	if !a.reaches(b, 0) {
		t.Error("a does not reach b any more")
	}
	if got := l.bridges(); !slices.Equal(got, []string{"hull2"}) {
		t.Errorf("bridges %v", got)
	}
	if _, err := l.do(wire.Request{Op: wire.Connect, ID: "nobody", Join: &network.Join{Network: two}}); !errs.IsNotFound(err) {
		t.Errorf("nobody: %v", err)
	}
}

// Who comes while another leaves gets what that had as soon as it is free: its address, or the bridge of its network, which
// was removed and made again.
func TestNextWaits(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	again := testNetwork(1, func(n *network.Network) { n.ID = fmt.Sprintf("%064x", 77) })
	a, b, c := l.on("a", n), l.box("b"), l.box("c")
	ip := a.address(0)
	leave := func(who *box) {
		t.Helper()
		if _, err := l.do(wire.Request{Op: wire.Detach, ID: who.id()}); err != nil {
			t.Fatal(err)
		}
	}
	leave(a)
	must(t, b.try(network.Join{Network: n, IPs: []netip.Addr{ip}}))
	if got := b.address(0); got != ip {
		t.Errorf("b has %s, and a had %s", got, ip)
	}
	leave(b)
	must(t, c.try(network.Join{Network: again}))
	if got := l.bridges(); !slices.Equal(got, []string{"hull1"}) {
		t.Errorf("bridges %v", got)
	}
}

// What a killed hull-net leaves goes on, and the next one has names and ports again.
func TestRestore(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	a, b := l.on("a", n), l.on("b", n)
	gone := l.on("gone", n)
	b.listen()
	port := freePort(t)
	if _, err := l.do(wire.Request{Op: wire.Ports, ID: b.id(), Ports: []network.Port{{Host: port, Container: 80, Count: 1, Protocol: "tcp"}}}); err != nil {
		t.Fatal(err)
	}
	hear(t, port)
	l.crash()
	if !a.reaches(b, 0) {
		t.Error("a does not reach b while there is no hull-net")
	}
	gone.thread.Close()
	if err := netns.Remove(gone.path); err != nil { // without a word to hull-net
		t.Fatal(err)
	}
	delete(l.boxes, "gone")
	l.start()
	hear(t, port)
	if got, err := a.resolve("b", dns.TypeA); err != nil || got != b.address(0).String() {
		t.Errorf("b is %q, %v", got, err)
	}
	if got, err := a.resolve("gone", dns.TypeA); err != nil || got != "NXDOMAIN" {
		t.Errorf("a container whose namespace is gone is %q, %v", got, err)
	}
	if !a.reaches(b, 1) {
		t.Error("a does not reach b")
	}
}

// What another program takes away comes back with reload.
func TestReload(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	a, b := l.on("a", n), l.on("b", n)
	b.listen()
	if err := l.server.inside.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.FlushRuleset()
		if err := conn.Flush(); err != nil {
			return err
		}
		link, err := netlink.LinkByName(bridge.HostEnd(a.id(), &a.joins[0]))
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	}); err != nil {
		t.Fatal(err)
	}
	if a.reaches(b, 0) {
		t.Fatal("a reaches b without a link")
	}
	if _, err := l.do(wire.Request{Op: wire.Reload}); err != nil {
		t.Fatal(err)
	}
	for family := range 2 {
		if !a.reaches(b, family) {
			t.Errorf("after the reload a does not reach %s", b.address(family))
		}
	}
	if err := l.server.inside.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := conn.ListTables()
		if len(tables) < 2 {
			t.Errorf("tables %v", tables)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// And an attach notices by itself.
	c := l.on("c", n)
	if !c.reaches(b, 0) {
		t.Error("c does not reach b")
	}
}

// Who is leaving is not brought back by what is done to the others: neither its links nor its file.
func TestLeavingStaysGone(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	a := l.on("a", n)
	l.on("b", n)
	left := l.server.attached[a.id()]
	a.detach()
	l.server.attached[a.id()], l.server.leaving[a.id()] = left, true // as between the two halves of a detach
	for _, r := range []wire.Request{{Op: wire.Changed, Network: &n}, {Op: wire.Reload}} {
		if _, err := l.do(r); err != nil {
			t.Fatal(err)
		}
	}
	delete(l.server.attached, a.id())
	delete(l.server.leaving, a.id())
	if types, err := l.server.links.Types(); err != nil || types[bridge.HostEnd(a.id(), &left.Joins[0])] != "" {
		t.Errorf("its link is back: %v, %v", types, err)
	}
	if _, err := os.Lstat(filepath.Join(l.dir, wire.Attachments, a.id())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file is back: %v", err)
	}
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return netip.MustParseAddrPort(listener.Addr().String()).Port()
}

// hear connects to a published port of this machine.
func hear(t *testing.T, port uint16) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), short)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(short))
	data, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(data), "b to 10.7.1.1") {
		t.Errorf("port %d says %q, %v", port, data, err)
	}
}
