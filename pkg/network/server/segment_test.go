package server

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"

	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/wire"
)

// with gives a network an option.
func with(key, value string) func(*network.Network) {
	return func(n *network.Network) { n.Options[key] = value }
}

// vlans are those that an interface is in, where the bridges are.
func (l *lab) vlans(name string) (ids []string) {
	l.Helper()
	must(l.T, l.server.inside.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		all, err := netlink.BridgeVlanList()
		for _, v := range all[int32(link.Attrs().Index)] {
			ids = append(ids, v.String())
		}
		return err
	}))
	return ids
}

// inVLAN is what vlans says of one that an interface is in alone.
func inVLAN(id uint16) []string {
	v := nl.BridgeVlanInfo{Vid: id, Flags: nl.BRIDGE_VLAN_INFO_PVID | nl.BRIDGE_VLAN_INFO_UNTAGGED}
	return []string{v.String()}
}

// A network may be a VLAN of its bridge, with the gateway in it. A kernel that has none says so, and nothing is left.
func TestVLAN(t *testing.T) {
	onHost(t, func(l *lab, _ *box) {
		l.Helper()
		n := testNetwork(1, with(network.OptionVLAN, "7"))
		a := l.box("a")
		if err := a.try(network.Join{Network: n}); err != nil {
			if left := l.bridges(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if !strings.Contains(err.Error(), "the kernel has no VLANs of bridges") {
				t.Error(err)
			}
			t.Skip(err)
		}
		b := l.on("b", n)
		b.listen()
		again := func() {
			t.Helper()
			for family := range 2 {
				if !a.reaches(b, family) {
					t.Errorf("a does not reach %s", b.address(family))
				}
			}
			if got, err := a.resolve("b", dns.TypeA); err != nil || got != b.address(0).String() {
				t.Errorf("b is %q, %v", got, err)
			}
			for _, name := range []string{n.Interface, bridge.HostEnd(a.id(), &a.joins[0]), bridge.HostEnd(b.id(), &b.joins[0])} {
				if got := l.vlans(name); !slices.Equal(got, inVLAN(7)) {
					t.Errorf("%s is in %v", name, got)
				}
			}
		}
		again()
		l.crash()
		l.start()
		again()
		if _, err := l.do(wire.Request{Op: wire.Reload}); err != nil {
			t.Fatal(err)
		}
		again()
	})
}

// On a bridge of the host's containers are in the VLAN of their network, and the bridge has to keep them apart.
func TestVLANOfUnmanagedBridge(t *testing.T) {
	onHost(t, func(l *lab, _ *box) {
		l.Helper()
		on := func(id string) network.Network {
			return testNetwork(4, with(network.OptionVLAN, id), with(network.OptionMode, network.ModeUnmanaged), func(n *network.Network) {
				n.Interface, n.DNS, n.Internal = "br7", false, false
			})
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "br7"
		br := &netlink.Bridge{LinkAttrs: attrs}
		must(t, netlink.LinkAdd(br))
		err := l.box("early").try(network.Join{Network: on("7")})
		if err == nil || !strings.Contains(err.Error(), "bridge br7 of network net4 does not keep VLANs apart") {
			t.Errorf("a bridge without VLANs: %v", err)
		}
		if err := netlink.BridgeSetVlanFiltering(br, true); err != nil {
			t.Skipf("the kernel has no VLANs of bridges: %v", err)
		}
		setUp(t, "br7")
		a, b, other := l.on("a", on("7")), l.on("b", on("7")), l.on("other", on("8"))
		b.listen()
		if got := l.vlans(bridge.HostEnd(a.id(), &a.joins[0])); !slices.Equal(got, inVLAN(7)) {
			t.Errorf("a is in %v", got)
		}
		for family := range 2 {
			if !a.reaches(b, family) || other.reaches(b, family) {
				t.Errorf("IPv%d: in VLAN 7 b is reached: %v; in VLAN 8: %v", 4+2*family, a.reaches(b, family), other.reaches(b, family))
			}
		}
	})
}

// The bridge of a network may be on a VRF device: the way out is that of its routes. Here the host's eth0 is on it, too.
func TestVRF(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		blue := func(number int, change ...func(*network.Network)) network.Network {
			return testNetwork(number, append([]func(*network.Network){routed, with(network.OptionVRF, "blue")}, change...)...)
		}
		for vrf, want := range map[string]string{"blue": "VRF device blue of network net1 is not there", "eth0": "is no VRF device but veth"} {
			err := l.box("early-" + vrf).try(network.Join{Network: testNetwork(1, with(network.OptionVRF, vrf))})
			if err == nil || !strings.Contains(err.Error(), want) || len(l.bridges()) > 0 {
				t.Errorf("%s: %v; there are %v", vrf, err, l.bridges())
			}
		}
		const table = 1017
		device := &netlink.Vrf{LinkAttrs: netlink.NewLinkAttrs(), Table: table}
		device.Name = "blue"
		if err := netlink.LinkAdd(device); err != nil {
			t.Skipf("the kernel has no vrf: %v", err)
		}
		setUp(t, "blue")
		eth0, err := netlink.LinkByName("eth0")
		must(t, err)
		must(t, netlink.LinkSetMaster(eth0, device))
		setUp(t, "eth0", hostIP+"/24", hostIP6+"/64")
		for _, gateway := range []string{lanIP, lanIP6} {
			must(t, netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(gateway), LinkIndex: eth0.Attrs().Index, Table: table}))
		}
		lan.listen()
		a, web := l.on("a", blue(1)), l.on("web", blue(1))
		web.listen()
		web.echo()
		_, err = l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: publish("", 8080)})
		must(t, err)
		check := func() {
			t.Helper()
			for family, want := range []string{hostIP, hostIP6} {
				if !a.reaches(web, family) {
					t.Errorf("a does not reach %s", web.address(family))
				}
				to := netip.AddrPortFrom(netip.MustParseAddr([]string{lanIP, lanIP6}[family]), 80)
				if text, err := a.get(to, ""); err != nil || text != "lan to "+want {
					t.Errorf("%s: %q, %v", to, text, err)
				}
			}
			if got, err := a.resolve("web", dns.TypeA); err != nil || got != web.address(0).String() {
				t.Errorf("web is %q, %v", got, err)
			}
			lan.hears(hostIP+":8080", lanIP)
			lan.hears("["+hostIP6+"]:8080", lanIP6)
			if trouble := l.server.report().Trouble; trouble != nil {
				t.Errorf("all is well, and it says %q", trouble)
			}
		}
		check()
		l.crash()
		l.start()
		check()
		beyond := netip.MustParseAddrPort(lanIP + ":80")
		inner := l.on("inner", blue(2, func(n *network.Network) { n.Internal = true }))
		inner.byGateway(beyond.Addr(), inner.joins[0].Network.Subnets[0].Gateway)
		if text, err := inner.get(beyond, ""); err == nil {
			t.Errorf("an internal network leads to %q", text)
		}
		strict := l.on("strict", blue(3, with(network.OptionIsolate, network.IsolateStrict)))
		if strict.reaches(web, 0) || !l.on("other", blue(5)).reaches(web, 0) {
			t.Error("an isolated network leads to another, or one that is not does not")
		}
		c, d := l.on("c", blue(6, separate)), l.on("d", blue(6, separate))
		d.listen()
		c.byGateway(d.address(0), c.joins[0].Network.Subnets[0].Gateway)
		l.apart(c, d)
	})
}
