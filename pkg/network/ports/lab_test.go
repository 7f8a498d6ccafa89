package ports

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// Root runs these tests in network and mount namespaces of their own, so that the process's own namespace, the host of the
// tests, is theirs too.
const inOwn = "HULL_TEST_OWN_NAMESPACES"

func TestMain(m *testing.M) {
	if os.Getuid() != 0 || os.Getenv(inOwn) != "" {
		os.Exit(m.Run())
	}
	child, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env: append(os.Environ(), inOwn+"=1"), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	state, err := child.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(state.ExitCode())
}

// Addresses of the lab. The host has two on the client's link, and one that it has inside too, as under pasta.
const (
	host4, hostToo4, client4, remote4 = "192.0.2.1", "192.0.2.9", "192.0.2.2", "10.89.0.77"
	host6, hostToo6, client6          = "2001:db8::1", "2001:db8::9", "2001:db8::2"
	bridge4, bridge6                  = "10.89.0.1", "fd89::1"
)

var (
	box4 = netip.MustParsePrefix("10.89.0.2/24")
	box6 = netip.MustParsePrefix("fd89::2/64")
)

// lab is a client on a link of the host, and a container on a bridge inside.
type lab struct {
	testing.TB
	client, inside, box *netns.Thread
	boxPath             string // of the container's namespace
	*Forwarder
}

func newLab(t testing.TB) *lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces of the test's own need root")
	}
	l := &lab{TB: t}
	l.must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir := t.TempDir()
	enter := func(name string) *netns.Thread {
		path := filepath.Join(dir, name)
		l.must(netns.Create(path))
		thread, err := netns.Enter(path)
		l.must(err)
		t.Cleanup(func() {
			thread.Close()
			l.must(netns.Remove(path))
		})
		return thread
	}
	host, err := netns.Enter("")
	l.must(err)
	t.Cleanup(host.Close)
	l.client, l.inside, l.box = enter("client"), enter("inside"), enter("box")
	l.boxPath = filepath.Join(dir, "box")
	l.must(Prepare(l.inside))
	l.must(Prepare(l.inside)) // again is fine
	l.join(host, filepath.Join(dir, "client"))
	l.join(l.inside, l.boxPath)
	l.do(host, func() error { return up("veth", host4+"/24", hostToo4+"/24", host6+"/64", hostToo6+"/64") })
	l.do(host, func() error { return up("lo") })
	l.do(l.client, func() error { return up("eth0", client4+"/24", client6+"/64", remote4+"/32") })
	l.do(host, func() error { return route("veth", remote4+"/32", "") })
	l.do(l.client, func() error { return route("eth0", "198.51.100.0/24", host4) })
	l.do(l.inside, func() error {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br"}}
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		veth, err := netlink.LinkByName("veth")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(veth, bridge); err != nil {
			return err
		}
		return up("veth")
	})
	l.do(l.inside, func() error { return up("br", bridge4+"/24", bridge6+"/64") })
	l.do(l.inside, func() error { return up("lo", host4+"/32") })
	l.do(l.box, func() error { return up("lo") })
	l.do(l.box, func() error { return up("eth0", box4.String(), box6.String()) })
	l.do(l.box, func() error { return route("eth0", "0.0.0.0/0", bridge4) })
	l.do(l.box, func() error { return route("eth0", "::/0", bridge6) })
	l.Forwarder = New(l.inside, func(text string) { t.Log(text) })
	t.Cleanup(func() {
		l.must(l.Close())
		l.do(host, func() error {
			veth, err := netlink.LinkByName("veth")
			if err != nil {
				return err
			}
			return netlink.LinkDel(veth)
		})
	})
	return l
}

// Set is the Forwarder's, for the lab's container.
func (l *lab) Set(t Target) error {
	t.NetNS, t.Gateways = l.boxPath, []netip.Addr{netip.MustParseAddr(bridge4), netip.MustParseAddr(bridge6)}
	return l.Forwarder.Set(t)
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) do(thread *netns.Thread, fn func() error) {
	l.Helper()
	l.must(thread.Do(fn))
}

// join makes a veth pair: "veth" in the one namespace, "eth0" in the other, whose file is at path.
func (l *lab) join(near *netns.Thread, path string) {
	l.Helper()
	far, err := os.Open(path)
	l.must(err)
	defer far.Close()
	l.do(near, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "veth"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(far.Fd()),
		})
	})
}

func up(name string, addresses ...string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, text := range addresses {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		a.Flags = unix.IFA_F_NODAD // usable at once
		if err := netlink.AddrAdd(link, a); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return netlink.LinkSetUp(link)
}

func route(name, to, gateway string) error {
	return changeRoute(netlink.RouteAdd, name, to, gateway)
}

func changeRoute(change func(*netlink.Route) error, name, to, gateway string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	_, dst, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	return change(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Gw: net.ParseIP(gateway)})
}

// serveTCP runs a service in the container that handles each connection with fn.
func (l *lab) serveTCP(port int, fn func(*net.TCPConn)) {
	l.Helper()
	var listener *net.TCPListener
	l.do(l.box, func() (err error) {
		listener, err = net.ListenTCP("tcp", &net.TCPAddr{Port: port})
		return err
	})
	l.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fn(c)
			}()
		}
	}()
}

// who tells the client its address.
func who(c *net.TCPConn) { _, _ = io.WriteString(c, peer(c.RemoteAddr())) }

func peer(a net.Addr) string {
	ap := netip.MustParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String()
}

// serveUDP runs a service in the container that tells each client its address.
func (l *lab) serveUDP(port int) {
	l.Helper()
	var conn *net.UDPConn
	l.do(l.box, func() (err error) {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: port})
		return err
	})
	l.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			_, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(peer(from)), from)
		}
	}()
}

// dial connects from a namespace, nil for the host's; from is the source, or "".
func (l *lab) dial(where *netns.Thread, network, from, to string) (c net.Conn, err error) {
	d := net.Dialer{}
	if from != "" {
		switch network {
		case "tcp":
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))
		case "udp":
			d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))
		}
	}
	dial := func() (err error) {
		c, err = d.DialContext(l.Context(), network, to)
		return err
	}
	if where == nil {
		return c, dial()
	}
	err = where.Do(dial)
	return c, err
}
