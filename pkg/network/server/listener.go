package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// listener makes the name server's sockets in the namespace of the bridges.
type listener struct {
	inside  *netns.Thread
	devices map[netip.Addr]string // the interfaces that addresses of networks on VRF devices are on: the others' sockets hear nothing there
}

// config binds the socket of such an address to its interface.
func (l listener) config(at netip.AddrPort) net.ListenConfig {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // who asks is a bridge away
	if device := l.devices[at.Addr()]; device != "" {
		config.Control = func(_, _ string, c syscall.RawConn) (err error) {
			failed := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), device) })
			return errors.Join(failed, err)
		}
	}
	return config
}

func (l listener) ListenUDP(ctx context.Context, at netip.AddrPort) (c *net.UDPConn, err error) {
	config := l.config(at)
	err = l.inside.Do(func() error {
		p, err := config.ListenPacket(ctx, "udp", at.String())
		if err == nil {
			c = p.(*net.UDPConn) //nolint:forcetypeassert // net has it so
		}
		return err
	})
	return c, err
}

func (l listener) ListenTCP(ctx context.Context, at netip.AddrPort) (t net.Listener, err error) {
	config := l.config(at)
	err = l.inside.Do(func() error {
		t, err = config.Listen(ctx, "tcp", at.String())
		return err
	})
	return t, err
}
