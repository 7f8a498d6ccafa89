package server

import (
	"context"
	"net"
	"net/netip"

	"hull.dev/hull/pkg/netns"
)

// listener makes the name server's sockets in the namespace of the bridges.
type listener struct{ inside *netns.Thread }

func (l listener) ListenUDP(_ context.Context, at netip.AddrPort) (c *net.UDPConn, err error) {
	err = l.inside.Do(func() error {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	})
	return c, err
}

func (l listener) ListenTCP(_ context.Context, at netip.AddrPort) (t net.Listener, err error) {
	err = l.inside.Do(func() error {
		t, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		return err
	})
	return t, err
}
