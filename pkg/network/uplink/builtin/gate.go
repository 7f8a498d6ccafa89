package builtin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	maxFlows = 1024 // of UDP, at once; one more is refused
	idleFlow = 75 * time.Second
)

// gate makes connections of the namespace again, from the host.
type gate struct {
	ctx      context.Context //nolint:containedctx // the stack's callbacks have none
	loopback bool
	flows    chan struct{} // a place for each
	done     func()        // called when a connection or a flow has ended
	network  *stack.Stack
}

// target is where a connection to an address of the namespace's world goes.
func (g *gate) target(id stack.TransportEndpointID) (to netip.AddrPort, ok bool) {
	ip, _ := netip.AddrFromSlice(id.LocalAddress.AsSlice())
	switch ip = ip.Unmap(); {
	case g.loopback && ip == gateway4:
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case g.loopback && ip == gateway6:
		ip = netip.IPv6Loopback()
	case !ip.IsGlobalUnicast() && !(ip.Is4() && ip.IsLinkLocalUnicast()), net4.Masked().Contains(ip), net6.Masked().Contains(ip):
		return to, false // 0.0.0.0 and ::ffff:127.0.0.1 are ways to the host's loopback, too
	}
	return netip.AddrPortFrom(ip, id.LocalPort), true
}

// tcp is called on a goroutine of its own. The namespace's side is answered when the world's has been.
func (g *gate) tcp(r *tcp.ForwarderRequest) {
	defer g.done()
	to, ok := g.target(r.ID())
	if !ok {
		r.Complete(true)
		return
	}
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(g.ctx, "tcp", to.String())
	if err != nil {
		r.Complete(true) // by a reset
		return
	}
	outer := conn.(*net.TCPConn) //nolint:forcetypeassert // it is what a dial of tcp makes
	defer outer.Close()
	var queue waiter.Queue
	endpoint, failed := r.CreateEndpoint(&queue)
	r.Complete(failed != nil)
	if failed != nil {
		return
	}
	endpoint.SocketOptions().SetKeepAlive(true) // a container that is gone with its namespace says no farewell
	idle := tcpip.KeepaliveIdleOption(idleFlow)
	_ = endpoint.SetSockOpt(&idle)
	inner := gonet.NewTCPConn(&queue, endpoint)
	defer inner.Close()
	defer context.AfterFunc(g.ctx, func() { _ = outer.Close() })()
	abort := func() {
		_ = outer.SetLinger(0)
		_ = outer.Close()
		endpoint.Abort()
	}
	world, err := newWorld(outer)
	if err != nil {
		abort()
		return
	}
	var back sync.WaitGroup
	back.Go(func() { pump(inner, world, abort) })
	pump(outer, newInside(endpoint, &queue), abort)
	back.Wait()
}

// stream is a connection of either side.
type stream interface {
	io.Writer
	CloseWrite() error
}

// pump moves bytes until src has no more, and tells dst that; after an error there is nothing left to move either way.
func pump(dst stream, src source, abort func()) {
	err := src.each(func(data []byte) error {
		_, err := dst.Write(data)
		return err
	})
	if errors.Is(err, io.EOF) {
		err = dst.CloseWrite()
	}
	if err != nil {
		abort()
	}
}

// udp starts a flow. False has the stack say that nobody listens.
func (g *gate) udp(r *udp.ForwarderRequest) bool {
	to, ok := g.target(r.ID())
	if !ok {
		return false
	}
	select {
	case g.flows <- struct{}{}:
	default:
		return false
	}
	outer, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		<-g.flows
		return false
	}
	world, err := newWorld(outer)
	if err != nil {
		_ = outer.Close()
		<-g.flows
		return false
	}
	var queue waiter.Queue
	endpoint, failed := r.CreateEndpoint(&queue)
	if failed != nil {
		_ = outer.Close()
		<-g.flows
		return true
	}
	inner := gonet.NewUDPConn(&queue, endpoint)
	go func() {
		defer g.done()
		defer func() { <-g.flows }()
		defer context.AfterFunc(g.ctx, func() { _ = outer.Close() })()
		f := &flow{end: func() { _, _ = outer.Close(), inner.Close() }, refused: func() { g.refused(r.ID()) }}
		f.run(outer, inner, world, newInside(endpoint, &queue))
	}()
	return true
}

// flow is a conversation over UDP. It ends when nothing has come from either side for a while.
type flow struct {
	end     func()
	refused func() // called when the world says that nobody listens
	idle    *time.Timer
}

func (f *flow) run(outer, inner io.Writer, world, inside source) {
	f.idle = time.AfterFunc(idleFlow, f.end)
	defer f.idle.Stop()
	var back sync.WaitGroup
	back.Go(func() { f.pump(inner, world) })
	f.pump(outer, inside)
	back.Wait()
}

func (f *flow) pump(dst io.Writer, src source) {
	defer f.end()
	for {
		err := src.each(func(data []byte) error {
			f.idle.Reset(idleFlow)
			_, err := dst.Write(data)              // a datagram may be lost
			if errors.Is(err, unix.ECONNREFUSED) { // one before this was refused, and this one was not sent
				f.refused()
				_, _ = dst.Write(data)
			}
			return nil
		})
		if !errors.Is(err, unix.ECONNREFUSED) {
			return
		}
		f.refused() // and the next one may find a listener
	}
}
