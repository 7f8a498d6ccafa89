package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/wire"
)

// inHost is set in a process whose own namespaces stand for a host.
const inHost = "HULL_TEST_HOST"

// The host of root's tests has one neighbour:
//
//	host  eth0 198.51.100.1/24 2001:db8::1/64, default routes to the neighbour
//	lan   eth0 198.51.100.2/24 2001:db8::2/64
const (
	hostIP, hostIP6 = "198.51.100.1", "2001:db8::1"
	lanIP, lanIP6   = "198.51.100.2", "2001:db8::2"
)

// onHost runs a test in a process of its own, in a network namespace that is the host of root's hull-net.
func onHost(t *testing.T, test func(l *lab, lan *box)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	if os.Getenv(inHost) == "" {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inHost+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		} else if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("%s", out)
		}
		return
	}
	l := &lab{T: t, dir: t.TempDir(), root: true, dns: 53, boxes: map[string]*box{}}
	lan := l.box("lan")
	far, err := os.Open(lan.path)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	v := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "eth0", PeerNamespace: netlink.NsFd(far.Fd())}
	v.Name = "eth0"
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	setUp(t, "lo", "127.0.0.1/8")
	setUp(t, "eth0", hostIP+"/24", hostIP6+"/64")
	must(t, lan.thread.Do(func() error { setUp(t, "eth0", lanIP+"/24", lanIP6+"/64"); return nil }))
	for _, gateway := range []string{lanIP, lanIP6} {
		must(t, netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(gateway)}))
	}
	test(startLab(l), lan)
}

// setUp gives an interface addresses, unless it has them.
func setUp(t *testing.T, name string, addresses ...string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	must(t, err)
	must(t, netlink.LinkSetUp(link))
	for _, text := range addresses {
		a, err := netlink.ParseAddr(text)
		must(t, err)
		a.Flags = unix.IFA_F_NODAD
		must(t, netlink.AddrReplace(link, a))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lanNetwork is a network on eth0, whose containers are neighbours of lan.
func lanNetwork(driver, options string) network.Network {
	n := network.Network{
		Name: "wire", ID: strings.Repeat("ab", 32), Driver: driver, Interface: "eth0", IPv6: true, Options: map[string]string{},
		IPAM: map[string]string{network.IPAMDriver: network.IPAMHostLocal},
		Subnets: []network.Subnet{
			{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Gateway: netip.MustParseAddr(lanIP), Lease: &network.LeaseRange{Start: netip.MustParseAddr("198.51.100.100")}},
			{Prefix: netip.MustParsePrefix("2001:db8::/64"), Gateway: netip.MustParseAddr(lanIP6), Lease: &network.LeaseRange{Start: netip.MustParseAddr("2001:db8::100")}},
		},
	}
	for option := range strings.FieldsSeq(options) {
		key, value, _ := strings.Cut(option, "=")
		n.Options[key] = value
	}
	return n
}

// link is an interface of a container.
func (b *box) link(name string) (link netlink.Link) {
	b.lab.Helper()
	must(b.lab.T, b.thread.Do(func() (err error) {
		link, err = netlink.LinkByName(name)
		return err
	}))
	return link
}

// interfaces are the names of those that a container has, beside lo.
func (b *box) interfaces() (names []string) {
	b.lab.Helper()
	must(b.lab.T, b.thread.Do(func() error {
		list, err := netlink.LinkList()
		for _, link := range list {
			if name := link.Attrs().Name; name != "lo" {
				names = append(names, name)
			}
		}
		return err
	}))
	return names
}

// broadcastLimit is what the kernel says of eth0 of the container, a macvlan (linux/if_link.h, IFLA_MACVLAN_BC_CUTOFF).
func (b *box) broadcastLimit() (limit int32) {
	b.lab.Helper()
	const cutoff = 9
	must(b.lab.T, b.thread.Do(func() error {
		request := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
		request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
		request.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated("eth0")))
		answers, err := request.Execute(unix.NETLINK_ROUTE, 0)
		if err != nil {
			return err
		}
		attributes := answers[0][unix.SizeofIfInfomsg:]
		for _, kind := range []uint16{unix.IFLA_LINKINFO, nl.IFLA_INFO_DATA, cutoff} {
			list, err := nl.ParseRouteAttr(attributes)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(list, func(a syscall.NetlinkRouteAttr) bool { return a.Attr.Type == kind })
			if i < 0 {
				return fmt.Errorf("no attribute %d", kind)
			}
			attributes = list[i].Value
		}
		limit = int32(binary.NativeEndian.Uint32(attributes))
		return nil
	}))
	return limit
}

// supports skips the test where the kernel has no such kind of interface.
func supports(t *testing.T, link netlink.Link) {
	t.Helper()
	if err := netlink.LinkAdd(link); err != nil {
		t.Skipf("the kernel has no %s: %v", link.Type(), err)
	}
	must(t, netlink.LinkDel(link))
}

func TestMacvlan(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		parent, err := netlink.LinkByName("eth0")
		must(t, err)
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex = "try", parent.Attrs().Index
		supports(t, &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE})
		children(l, lan, lanNetwork(network.DriverMacvlan, "mtu=1400 metric=7"))
		if err := l.box("limit").try(network.Join{Network: lanNetwork(network.DriverMacvlan, "bclim=5")}); err != nil {
			if !strings.Contains(err.Error(), "Linux 6.4") {
				t.Error(err)
			}
		} else if got := l.boxes["limit"].broadcastLimit(); got != 5 {
			t.Errorf("broadcasts are queued from %d macvlans on", got)
		}
	})
}

func TestIpvlan(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		parent, err := netlink.LinkByName("eth0")
		must(t, err)
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex = "try", parent.Attrs().Index
		supports(t, &netlink.IPVlan{LinkAttrs: attrs, Mode: netlink.IPVLAN_MODE_L2})
		children(l, lan, lanNetwork(network.DriverIpvlan, "mtu=1400 metric=7"))
	})
}

// children are containers on eth0: neighbours of lan and of each other, that come and go.
func children(l *lab, lan *box, n network.Network) {
	l.Helper()
	n.Interface = "" // that of the default route
	a, b := l.on("a", n), l.on("b", n)
	b.listen()
	for i, ip := range []string{"198.51.100.101", "2001:db8::101"} {
		if b.address(i).String() != ip {
			l.Errorf("b has %s, want %s", b.address(i), ip)
		}
		for _, from := range []*box{a, lan} {
			if text, err := from.get(netip.AddrPortFrom(b.address(i), 80), ""); err != nil || !strings.HasPrefix(text, "b to ") {
				l.Errorf("%s hears %q from %s: %v", from.name, text, b.address(i), err)
			}
		}
	}
	link := a.link("eth0")
	if link.Type() != n.Driver || link.Attrs().MTU != 1400 || link.Attrs().HardwareAddr.String() != a.joins[0].MAC {
		l.Errorf("the interface is %s with MTU %d and %s, want %s", link.Type(), link.Attrs().MTU, link.Attrs().HardwareAddr, a.joins[0].MAC)
	}
	must(l.T, a.thread.Do(func() error {
		routes, err := netlink.RouteList(link, unix.AF_INET)
		for _, r := range routes {
			if r.Gw != nil && (r.Gw.String() != lanIP || r.Priority != 7) {
				l.Errorf("default route %s", r)
			}
		}
		return err
	}))
	l.crash()
	l.start()
	if again := a.link("eth0"); again.Attrs().Index != link.Attrs().Index || !a.reaches(b, 0) {
		l.Error("a restart of hull-net has made the interface anew")
	}
	// A hull-net that died when the interface had the name that it is made under.
	must(l.T, a.thread.Do(func() error {
		return errors.Join(netlink.LinkSetDown(link), netlink.LinkSetName(link, bridge.HostEnd(a.id(), &a.joins[0])))
	}))
	l.crash()
	l.start()
	if again := a.link("eth0"); again.Attrs().Index != link.Attrs().Index || !a.reaches(b, 0) {
		l.Error("the interface was not given its name")
	}
	b.detach()
	if left := b.interfaces(); len(left) > 0 {
		l.Errorf("detached, and has %v", left)
	}
	if _, err := netlink.LinkByName("eth0"); err != nil {
		l.Errorf("the parent is gone: %v", err)
	}
	_, err := l.do(wire.Request{Op: wire.Ports, ID: a.id(), Ports: []network.Port{{Host: 8080, Container: 80, Count: 1, Protocol: "tcp"}}})
	if err == nil || !strings.Contains(err.Error(), "publishes no ports") {
		l.Errorf("a port is published: %v", err)
	}
}

// An interface without addresses is the container's to set up.
func TestWithoutAddresses(t *testing.T) {
	onHost(t, func(l *lab, _ *box) {
		l.Helper()
		n := testNetwork(3, func(n *network.Network) {
			n.Subnets, n.DNS, n.IPAM = nil, false, map[string]string{network.IPAMDriver: network.IPAMNone}
		})
		a, b := l.on("a", n), l.on("b", n)
		b.listen()
		for i, box := range []*box{a, b} {
			must(t, box.thread.Do(func() error {
				setUp(t, "eth0", []string{"10.99.0.1/24", "10.99.0.2/24"}[i])
				return nil
			}))
		}
		if text, err := a.get(netip.MustParseAddrPort("10.99.0.2:80"), ""); err != nil || text != "b to 10.99.0.1" {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// A bridge that is the host's stays as it is.
func TestUnmanagedBridge(t *testing.T) {
	onHost(t, func(l *lab, _ *box) {
		l.Helper()
		n := testNetwork(4, func(n *network.Network) {
			n.Interface, n.DNS, n.Internal, n.Options[network.OptionMode] = "br7", false, false, network.ModeUnmanaged
		})
		if err := l.box("early").try(network.Join{Network: n}); err == nil || !strings.Contains(err.Error(), "br7") {
			t.Errorf("a bridge that is not there: %v", err)
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "br7"
		must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}))
		setUp(t, "br7")
		taken := testNetwork(4, func(n *network.Network) { n.Interface = "br7" })
		if err := l.box("late").try(network.Join{Network: taken}); err == nil || !strings.Contains(err.Error(), "not of hull's making") {
			t.Errorf("a bridge of another's: %v", err)
		}
		a, b := l.on("a", n), l.on("b", n)
		b.listen()
		if !a.reaches(b, 0) || !a.reaches(b, 1) {
			t.Error("a does not reach b")
		}
		link, err := netlink.LinkByName("br7")
		must(t, err)
		if addresses, err := netlink.AddrList(link, unix.AF_INET); err != nil || len(addresses) > 0 {
			t.Errorf("the bridge got %v, %v", addresses, err)
		}
		a.detach()
		b.detach()
		if _, err := netlink.LinkByName("br7"); err != nil {
			t.Errorf("the bridge is gone: %v", err)
		}
	})
}

// The end on the bridge may be given a name. One that the host or another container has is refused, and stays.
func TestHostInterfaceName(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		named := func(name string) network.Join {
			return network.Join{Network: testNetwork(1), Options: map[string]string{network.OptionHostInterface: name}}
		}
		a, b := l.box("a"), l.box("b")
		must(t, a.try(named("web0")))
		for _, name := range []string{"web0", "eth0"} {
			if err := b.try(named(name)); err == nil || !strings.Contains(err.Error(), "name "+name+" of an interface is taken") {
				t.Errorf("%s: %v", name, err)
			}
		}
		a.listen()
		lan.listen()
		must(t, b.try(network.Join{Network: testNetwork(1, func(n *network.Network) { n.Options[network.OptionHostInterface] = "db0" })}))
		if !b.reaches(a, 0) {
			t.Error("a is not reached any more")
		}
		for name, bridge := range map[string]bool{"web0": true, "db0": true, "eth0": false} {
			link, err := netlink.LinkByName(name)
			if err != nil || (link.Attrs().MasterIndex != 0) != bridge {
				t.Errorf("interface %s is on a bridge: %t, %v", name, !bridge, err)
			}
		}
		a.detach()
		if _, err := netlink.LinkByName("web0"); err == nil {
			t.Error("web0 is left")
		}
	})
}
