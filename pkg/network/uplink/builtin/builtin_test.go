package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network/uplink"
)

// Root runs these tests in network and mount namespaces of their own, so that the process's own namespace, the host of the
// tests, is theirs too.
const inOwn = "HULL_TEST_OWN_NAMESPACES"

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "uplink": // as hull-net
		if err := Main(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getuid() != 0 || os.Getenv(inOwn) != "":
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

const (
	host4, host6 = "192.0.2.1", "2001:db8::1"
	patience     = 10 * time.Second
)

// lab is a namespace with the uplink, which is a process.
type lab struct {
	testing.TB
	inside *netns.Thread
	up     uplink.Running
	dir    string // of its log
}

func newLab(t testing.TB, loopback bool) *lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces of the test's own need root")
	}
	l := &lab{TB: t, dir: t.TempDir()}
	l.must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	host, err := netns.Enter("")
	l.must(err)
	t.Cleanup(host.Close)
	l.must(host.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, text := range []string{host4 + "/32", host6 + "/128"} {
			a, err := netlink.ParseAddr(text)
			if err != nil {
				return err
			}
			a.Flags = unix.IFA_F_NODAD
			if err := netlink.AddrReplace(lo, a); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(lo)
	}))
	path := filepath.Join(l.dir, "ns")
	l.must(netns.Create(path))
	l.inside, err = netns.Enter(path)
	l.must(err)
	t.Cleanup(func() {
		l.inside.Close()
		l.must(netns.Remove(path))
	})
	exe, err := os.Executable()
	l.must(err)
	l.up, err = uplink.Start(t.Context(), uplink.Request{Mode: uplink.Builtin, Path: path, Dir: l.dir, Bridges: true, Loopback: loopback, Program: exe})
	l.must(err)
	t.Cleanup(func() {
		l.must(unix.Kill(l.up.PID, unix.SIGKILL))
		_, err := unix.Wait4(l.up.PID, nil, 0, nil)
		l.must(err)
	})
	return l
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) dial(network, to string) (c net.Conn, err error) {
	err = l.inside.Do(func() (err error) {
		c, err = (&net.Dialer{Timeout: patience}).DialContext(l.Context(), network, to)
		return err
	})
	if err == nil {
		l.Cleanup(func() { _ = c.Close() })
		l.must(c.SetDeadline(time.Now().Add(patience)))
	}
	return c, err
}

// serve runs a service of the host and returns its port.
func (l *lab) serve(ip string, fn func(*net.TCPConn)) (port string) {
	l.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	l.must(err)
	l.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fn(c.(*net.TCPConn)) //nolint:forcetypeassert // it is what a listener of tcp gives
			}()
		}
	}()
	_, port, err = net.SplitHostPort(listener.Addr().String())
	l.must(err)
	return port
}

func sameBack(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// A client that has said all it has to say still gets the whole answer, as does one that is answered while it speaks.
func TestHalfClosed(t *testing.T) {
	l := newLab(t, false)
	const size = 10 << 20
	for _, ip := range []string{host4, host6} {
		port := l.serve(ip, func(c *net.TCPConn) {
			n, _ := io.Copy(io.Discard, c)
			_, _ = c.Write(bytes.Repeat([]byte{byte(n >> 20)}, size))
		})
		conn, err := l.dial("tcp", net.JoinHostPort(ip, port))
		l.must(err)
		c := conn.(*net.TCPConn) //nolint:forcetypeassert // it is what a dial of tcp makes
		_, err = c.Write(make([]byte, size))
		l.must(err)
		l.must(c.CloseWrite())
		data, err := io.ReadAll(c)
		l.must(err)
		if len(data) != size || bytes.Count(data, []byte{10}) != size {
			t.Errorf("%s: %d bytes came back, the first %v", ip, len(data), data[:min(len(data), 4)])
		}
	}
}

// The host's loopback is closed unless it was asked for.
func TestLoopback(t *testing.T) {
	for _, asked := range []bool{false, true} {
		l := newLab(t, asked)
		port := l.serve("127.0.0.1", sameBack)
		c, err := l.dial("tcp", net.JoinHostPort(gateway4.String(), port))
		if !asked {
			if !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("the host's loopback: %v", err)
			}
			continue
		}
		l.must(err)
		_, err = c.Write([]byte("x"))
		l.must(err)
		_, err = c.Read(make([]byte, 1))
		l.must(err)
		if l.up.Host != gateway4 {
			t.Errorf("the host is at %s", l.up.Host)
		}
	}
}

func TestRefused(t *testing.T) {
	l := newLab(t, false)
	port := l.serve("127.0.0.1", sameBack) // nobody has it at the other address
	if _, err := l.dial("tcp", net.JoinHostPort(host4, port)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%v, want refused", err)
	}
}

// Who sends a datagram to a port where nobody listens is told, each time, and the next may find somebody.
func TestDatagramRefused(t *testing.T) {
	l := newLab(t, false)
	for _, ip := range []string{host4, host6} {
		service, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
		l.must(err)
		l.must(service.Close())
		c, err := l.dial("udp", service.LocalAddr().String())
		l.must(err)
		l.must(c.SetDeadline(time.Now().Add(patience)))
		for range 2 {
			_, err = c.Write([]byte("anybody?"))
			l.must(err)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("%s: %v, want refused", ip, err)
			}
		}
		service, err = net.ListenPacket("udp", service.LocalAddr().String())
		l.must(err)
		defer service.Close()
		_, err = c.Write([]byte("you"))
		l.must(err)
		l.must(service.SetDeadline(time.Now().Add(patience)))
		buf := make([]byte, 16)
		n, _, err := service.ReadFrom(buf)
		l.must(err)
		if string(buf[:n]) != "you" {
			t.Errorf("%s: %q came", ip, buf[:n])
		}
	}
}

func TestDatagrams(t *testing.T) {
	l := newLab(t, false)
	for _, ip := range []string{host4, host6} {
		service, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
		l.must(err)
		defer service.Close()
		go func() {
			buf := make([]byte, 1<<16)
			for {
				n, from, err := service.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = service.WriteTo(buf[:n], from)
			}
		}()
		c, err := l.dial("udp", service.LocalAddr().String())
		l.must(err)
		for _, size := range []int{1, 1400, 60000} {
			_, err = c.Write(make([]byte, size))
			l.must(err)
			n, err := c.Read(make([]byte, 1<<16))
			l.must(err)
			if n != size {
				t.Errorf("%s: %d bytes came back of %d", ip, n, size)
			}
		}
	}
}

// There are more ways to the host's loopback than its name.
func TestTarget(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8::7": "2001:db8::7", "::ffff:192.0.2.7": "192.0.2.7", "169.254.169.254": "169.254.169.254",
		"10.0.2.2": "", "10.0.2.100": "", "fd00::2": "", "127.0.0.1": "", "127.9.9.9": "", "::1": "", "0.0.0.0": "", "::": "",
		"::ffff:127.0.0.1": "", "::ffff:0.0.0.0": "", "255.255.255.255": "", "224.0.0.1": "", "ff02::1": "", "fe80::1": "",
	} {
		to, ok := new(gate).target(stack.TransportEndpointID{LocalAddress: tcpip.AddrFromSlice(netip.MustParseAddr(text).AsSlice()), LocalPort: 80})
		if ok != (want != "") || ok && to.String() != net.JoinHostPort(want, "80") {
			t.Errorf("%s: %s %t, want %q", text, to, ok, want)
		}
	}
}

func TestNoNamespace(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = uplink.Start(t.Context(), uplink.Request{Mode: uplink.Builtin, Path: "/nonexistent", Dir: t.TempDir(), Program: exe})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("/nonexistent")) {
		t.Errorf("%v does not name the namespace", err)
	}
}
