package env

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// Every suite runs in a network namespace of its own, the host of the tests, with one neighbour:
//
//	host  lo, eth0 198.51.100.1/24 2001:db8::1/64, default route to the neighbour    hull runs here
//	lan   lo, eth0 198.51.100.2/24 2001:db8::2/64                                    clients and servers of the tests
//
// In lan a server tells each client its address, over TCP and UDP on port 7007, and an agent makes connections for who has
// no right to enter lan, asked over the socket lan.sock in the base folder: one line "tcp ADDRESS:PORT TEXT" or "udp …",
// answered with what came back. With "wifi off" and "wifi on ADDRESS..." it takes host's eth0 away and gives it back.
const (
	HostIP  = "198.51.100.1"
	HostIP6 = "2001:db8::1"
	LanIP   = "198.51.100.2"
	LanIP6  = "2001:db8::2"
	LanPort = 7007
)

// lanSocket is the agent's.
func lanSocket(base string) string { return filepath.Join(base, "lan.sock") }

// lan is the two namespaces.
type lan struct {
	host   *os.File      // the namespace that commands run in
	near   *netns.Thread // in host
	thread *netns.Thread // in lan
}

// newLan makes both and what is in them. They end with the process, or with the last that is in them.
func newLan(t testing.TB, base string) *lan {
	t.Helper()
	l := &lan{}
	far := newNamespace(t)
	l.host = newNamespace(t)
	t.Cleanup(func() { _ = l.host.Close() })
	var err error
	l.thread, err = netns.Enter(fmt.Sprintf("/proc/self/fd/%d", far.Fd()))
	must(t, err)
	t.Cleanup(l.thread.Close)
	l.near, err = netns.Enter(fmt.Sprintf("/proc/self/fd/%d", l.host.Fd()))
	must(t, err)
	t.Cleanup(l.near.Close)
	must(t, l.near.Do(func() error {
		v := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "eth0", PeerNamespace: netlink.NsFd(far.Fd())}
		v.Name = "eth0"
		if err := netlink.LinkAdd(v); err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0); err != nil { // as systemd sets it
			return err
		}
		return address(HostIP+"/24", HostIP6+"/64")
	}))
	must(t, l.thread.Do(func() error { return address(LanIP+"/24", LanIP6+"/64") }))
	must(t, l.near.Do(defaultRoutes))
	must(t, far.Close())
	l.serve(t)
	l.agent(t, base)
	return l
}

func defaultRoutes() error {
	for _, gateway := range []string{LanIP, LanIP6} {
		if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(gateway)}); err != nil {
			return fmt.Errorf("default route: %w", err)
		}
	}
	return nil
}

// wifi is what a laptop meets between two networks: off takes addresses and routes away, and on gives it others.
func wifi(change string, addresses []string) error {
	if change == "on" {
		if err := address(addresses...); err != nil {
			return err
		}
		return defaultRoutes()
	}
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for i := range list {
		if err := netlink.AddrDel(link, &list[i]); err != nil {
			return err
		}
	}
	return netlink.LinkSetDown(link)
}

// newNamespace makes a network namespace that lives as long as the file is open or a process is in it.
func newNamespace(t testing.TB) *os.File {
	t.Helper()
	type made struct {
		f   *os.File
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- made{nil, err}
			return
		}
		f, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		done <- made{f, err}
	}()
	m := <-done
	must(t, m.err)
	return m.f
}

// address gives eth0 its addresses, and has it and lo up.
func address(list ...string) error {
	for name, addresses := range map[string][]string{"lo": nil, "eth0": list} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		for _, text := range addresses {
			a, err := netlink.ParseAddr(text)
			if err != nil {
				return err
			}
			a.Flags = unix.IFA_F_NODAD
			if err := netlink.AddrAdd(link, a); err != nil {
				return err
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
	}
	return nil
}

// serve tells each client its address.
func (l *lan) serve(t testing.TB) {
	t.Helper()
	must(t, l.thread.Do(func() error {
		tcp, err := net.Listen("tcp", fmt.Sprintf(":%d", LanPort))
		if err != nil {
			return err
		}
		udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", LanPort))
		if err != nil {
			return err
		}
		t.Cleanup(func() { _, _ = tcp.Close(), udp.Close() })
		go func() {
			for {
				c, err := tcp.Accept()
				if err != nil {
					return
				}
				_, _ = fmt.Fprintln(c, c.RemoteAddr())
				_ = c.Close()
			}
		}()
		go func() {
			b := make([]byte, 1500)
			for {
				_, from, err := udp.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = udp.WriteTo([]byte(from.String()+"\n"), from)
			}
		}()
		return nil
	}))
}

// agent makes connections from lan.
func (l *lan) agent(t testing.TB, base string) {
	t.Helper()
	listener, err := net.Listen("unix", lanSocket(base))
	must(t, err)
	must(t, os.Chmod(lanSocket(base), 0o666))
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go l.connect(c)
		}
	}()
}

// patience is how long the agent waits for a connection, and for an answer.
const patience = 5 * time.Second

func (l *lan) connect(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	to, text, _ := strings.Cut(rest, " ")
	if kind == "wifi" {
		if err := l.near.Do(func() error { return wifi(to, strings.Fields(text)) }); err != nil {
			_, _ = fmt.Fprintln(c, "error:", err)
		}
		return
	}
	out, err := l.exchange(kind, to, text)
	if err != nil {
		_, _ = fmt.Fprintln(c, "error:", err)
		return
	}
	_, _ = c.Write(out)
}

// exchange sends the text and returns what came back until the end, or the first datagram.
func (l *lan) exchange(kind, to, text string) ([]byte, error) {
	where, err := netip.ParseAddrPort(to)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	err = l.thread.Do(func() (err error) {
		conn, err = net.DialTimeout(kind, where.String(), patience)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	text = strings.ReplaceAll(text, `\n`, "\n")
	if _, err := io.WriteString(conn, text); err != nil {
		return nil, err
	}
	if kind == "udp" {
		b := make([]byte, 1500)
		n, err := conn.Read(b)
		return b[:n], err
	}
	if c, ok := conn.(*net.TCPConn); ok && text != "" {
		_ = c.CloseWrite()
	}
	return io.ReadAll(io.LimitReader(conn, 1<<20))
}

// FromLan has the agent of the suite with this base folder connect to an address from another machine than the host: over
// "tcp" or "udp", sending the text. It returns what came back; an error of the network is a line that begins with "error:".
func FromLan(base, kind, to, text string) (string, error) {
	c, err := net.Dial("unix", lanSocket(base))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%s %s %s\n", kind, to, strings.ReplaceAll(text, "\n", `\n`)); err != nil {
		return "", err
	}
	out, err := io.ReadAll(c)
	return string(out), err
}
