package server

import (
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"

	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
)

// separate keeps the containers of a network from each other.
func separate(n *network.Network) { n.Options[network.OptionICC] = "false" }

// byGateway has the container send to an address, of its own network too, by a router; by none it is a neighbour.
func (b *box) byGateway(to, router netip.Addr) {
	b.lab.Helper()
	must(b.lab.T, b.thread.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		alone := &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(to.BitLen(), to.BitLen())}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: alone, Gw: router.AsSlice()}
		if !router.IsValid() {
			route.Scope = netlink.SCOPE_LINK
		}
		return netlink.RouteAdd(route)
	}))
}

// apart wants the containers not to reach each other, and the first to have names.
func (l *lab) apart(a, b *box) {
	l.Helper()
	for family := range 2 {
		if a.reaches(b, family) {
			l.Errorf("%s reaches %s", a.name, b.address(family))
		}
	}
	if got, err := a.resolve(b.name, dns.TypeA); err != nil || got != b.address(0).String() {
		l.Errorf("%s is %q, %v", b.name, got, err)
	}
}

// With com.docker.network.bridge.enable_icc=false containers do not reach each other: not on the bridge, and not by way of the
// gateway. Others do, if their networks do.
func TestSeparate(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1, routed, separate)
	a, b, other := l.on("a", n), l.on("b", n), l.on("other", testNetwork(2, routed))
	b.listen()
	l.apart(a, b)
	for family := range 2 {
		a.byGateway(b.address(family), n.Subnets[family].Gateway)
		if !other.reaches(b, family) {
			t.Errorf("from another network %s is not reached", b.address(family))
		}
	}
	l.apart(a, b)
	l.crash()
	l.start()
	l.apart(a, b)
	if _, err := l.do(wire.Request{Op: wire.Reload}); err != nil {
		t.Fatal(err)
	}
	l.apart(a, b)
}

// Ports that separate containers publish are there for all, for each other too.
func TestSeparatePublished(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		n := testNetwork(1, routed, separate)
		a, web := l.on("a", n), l.on("web", n)
		web.listen()
		web.echo()
		_, err := l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: publish("", 8080)})
		must(t, err)
		l.apart(a, web)
		lan.hears(hostIP+":8080", lanIP)
		lan.hears("["+hostIP6+"]:8080", lanIP6)
		for _, b := range []*box{a, web} {
			b.hears(hostIP+":8080", "")
			b.hears("["+hostIP6+"]:8080", "")
		}
		lan.listen()
		if text, err := a.get(netip.MustParseAddrPort(lanIP+":80"), ""); err != nil || text != "lan to "+hostIP {
			t.Errorf("the way out: %q, %v", text, err)
		}
	})
}
