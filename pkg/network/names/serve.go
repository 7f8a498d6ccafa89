package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	maxMessage = 2048             // bytes of a question
	idle       = 10 * time.Second // after which a TCP connection ends (RFC 7766, 6.2.3)

	maxStreams   = 128 // TCP connections of an address at once
	shareStreams = 32  // of one asker
)

// socket is one address that is listened on.
type socket struct {
	at     netip.Addr
	udp    *net.UDPConn
	tcp    net.Listener
	cancel context.CancelFunc // nil before serve
	work   sync.WaitGroup     // readers, connections, and questions that are asked elsewhere
}

func (s *Server) listen(ctx context.Context, at netip.Addr) (*socket, error) {
	where := netip.AddrPortFrom(at, s.options.Port)
	udp, err := s.options.Inside.ListenUDP(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("listen on udp %s: %w", where, err)
	}
	tcp, err := s.options.Inside.ListenTCP(ctx, where)
	if err != nil {
		_ = udp.Close()
		return nil, fmt.Errorf("listen on tcp %s: %w", where, err)
	}
	return &socket{at: at, udp: udp, tcp: tcp}, nil
}

// close ends the service and waits for its goroutines.
func (k *socket) close() {
	if k.cancel != nil {
		k.cancel()
	}
	_, _ = k.udp.Close(), k.tcp.Close()
	k.work.Wait()
}

func (s *Server) serve(ctx context.Context, z *zone, k *socket) {
	ctx, k.cancel = context.WithCancel(ctx)
	k.work.Go(func() { s.serveUDP(ctx, z, k) })
	k.work.Go(func() { s.serveTCP(ctx, z, k) })
}

func (s *Server) serveTCP(ctx context.Context, z *zone, k *socket) {
	var streams places
	for {
		c, err := k.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors, for now
			pause(ctx, 100*time.Millisecond)
			continue
		}
		from, ok := c.RemoteAddr().(*net.TCPAddr)
		asker := netip.Addr{}
		if ok {
			asker = from.AddrPort().Addr().Unmap().WithZone("")
		}
		if !s.allowed(z, asker) || !streams.take(asker, maxStreams, shareStreams) {
			_ = c.Close()
			continue
		}
		k.work.Go(func() {
			defer streams.give(asker)
			s.serveStream(ctx, z, asker, c)
		})
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// serveStream answers the questions of one connection, one after the other.
func (s *Server) serveStream(ctx context.Context, z *zone, asker netip.Addr, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	conn, in := &dns.Conn{Conn: c}, make([]byte, maxMessage)
	for c.SetDeadline(time.Now().Add(idle)) == nil {
		n, err := conn.Read(in)
		if err != nil {
			return
		}
		reply, a := s.answer(z, asker, in[:n], nil, true)
		if a != nil {
			if z.enqueue(asker) {
				reply = s.forward(ctx, z, asker, a)
			} else {
				reply = a.failed()
			}
		}
		if len(reply) == 0 || c.SetDeadline(time.Now().Add(idle)) != nil {
			return
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}
