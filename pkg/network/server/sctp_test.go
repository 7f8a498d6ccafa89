package server

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
)

// sctp is a socket of a container's, whose system calls end within a time.
func (b *box) sctp() (fd int, err error) {
	err = b.thread.Do(func() error {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
		return err
	})
	limit := unix.NsecToTimeval(short.Nanoseconds())
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err == nil {
			err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit)
		}
	}
	return fd, err
}

// Ports of SCTP are the kernel's to lead to containers, and so they are root's.
func TestPublishedSCTP(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		web := l.on("web", testNetwork(1, routed))
		server, err := web.sctp()
		if err != nil {
			t.Skipf("the kernel has no sctp: %v", err)
		}
		defer unix.Close(server)
		must(t, unix.Bind(server, &unix.SockaddrInet4{Port: 80}))
		must(t, unix.Listen(server, 1))
		_, err = l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: []network.Port{{Host: 8080, Container: 80, Count: 1, Protocol: "sctp"}}})
		must(t, err)
		client, err := lan.sctp()
		must(t, err)
		defer unix.Close(client)
		must(t, unix.Connect(client, &unix.SockaddrInet4{Port: 8080, Addr: netip.MustParseAddr(hostIP).As4()}))
		conn, from, err := unix.Accept(server)
		must(t, err)
		defer unix.Close(conn)
		if a, ok := from.(*unix.SockaddrInet4); !ok || netip.AddrFrom4(a.Addr).String() != lanIP {
			t.Errorf("the service sees %v", from)
		}
		_, err = unix.Write(conn, []byte("hello"))
		must(t, err)
		buffer := make([]byte, 16)
		n, err := unix.Read(client, buffer)
		if err != nil || string(buffer[:n]) != "hello" {
			t.Errorf("the client hears %q, %v", buffer[:max(n, 0)], err)
		}
		_, err = l.do(wire.Request{Op: wire.Ports, ID: web.id()})
		must(t, err)
		late, err := lan.sctp()
		must(t, err)
		defer unix.Close(late)
		if err := unix.Connect(late, &unix.SockaddrInet4{Port: 8080, Addr: netip.MustParseAddr(hostIP).As4()}); err == nil {
			t.Error("the port is taken back, and answers")
		}
	})
}

// In mode l3 containers on an ipvlan are behind the host, which routes for them without a gateway's address.
func TestIpvlanRouted(t *testing.T) {
	for _, mode := range []string{"l3", "l3s"} {
		t.Run(mode, func(t *testing.T) {
			onHost(t, func(l *lab, lan *box) {
				l.Helper()
				n := lanNetwork(network.DriverIpvlan, "mode="+mode)
				n.Subnets = slices.Clone(testNetwork(9).Subnets)
				for i := range n.Subnets {
					n.Subnets[i].Gateway = netip.Addr{}
				}
				a := l.box("a")
				if err := a.try(network.Join{Network: n}); err != nil {
					if !strings.Contains(err.Error(), "the kernel has no ipvlan") {
						t.Fatal(err)
					}
					t.Skip(err)
				}
				b := l.on("b", n)
				b.listen()
				for i, host := range []string{hostIP, hostIP6} {
					if !a.reaches(b, i) {
						t.Errorf("a does not reach %s", b.address(i))
					}
					lan.byGateway(b.address(i), netip.MustParseAddr(host))
					b.byGateway(netip.MustParseAddr([]string{lanIP, lanIP6}[i]), netip.Addr{})
					if text, err := lan.get(netip.AddrPortFrom(b.address(i), 80), ""); err != nil || !strings.HasPrefix(text, "b to ") {
						t.Errorf("lan hears %q from %s: %v", text, b.address(i), err)
					}
				}
			})
		})
	}
}
