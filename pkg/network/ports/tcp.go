package ports

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// acceptPause is how long a port waits when the process has no descriptor left for another connection.
const acceptPause = 100 * time.Millisecond

// tcpServer forwards the connections of one port.
type tcpServer struct {
	key
	inside *dialer
	log    func(string)
	work   *sync.WaitGroup

	listener *net.TCPListener
	mu       sync.Mutex // of what follows
	to       dest
	links    map[*link]struct{}
}

// link is a client's connection with the one to the container.
type link struct {
	client, inner *net.TCPConn
}

// reset ends both sides at once; each sees that the other is gone.
func (l *link) reset() {
	for _, c := range []*net.TCPConn{l.client, l.inner} {
		if c != nil {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
}

func (s *tcpServer) listen() (err error) {
	s.listener, err = net.ListenTCP(s.network(), &net.TCPAddr{IP: s.ip.AsSlice(), Port: int(s.number), Zone: s.ip.Zone()})
	return err
}

// network is Go's name for the families of a port: without an address both, of [::] IPv6 alone.
func (k key) network() string {
	switch {
	case !k.ip.IsValid():
		return k.protocol
	case k.ip.Is4():
		return k.protocol + "4"
	}
	return k.protocol + "6"
}

func (s *tcpServer) serve() {
	listener := s.listener
	s.work.Go(func() {
		for {
			client, err := listener.AcceptTCP()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				s.log("port " + s.String() + ": " + err.Error())
				<-time.After(acceptPause)
				continue
			}
			s.work.Go(func() { s.forward(client) })
		}
	})
}

// forward connects a client to the container and returns when both are done.
func (s *tcpServer) forward(client *net.TCPConn) {
	l := &link{client: client}
	from := client.RemoteAddr().(*net.TCPAddr).AddrPort() //nolint:forcetypeassert // it is what a TCP connection has
	if err := s.start(l, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())); err != nil {
		l.reset()
		return
	}
	defer s.forget(l)
	if err := await(l.inner); err != nil {
		l.reset()
		return
	}
	var back sync.WaitGroup
	back.Go(func() { l.pump(l.client, l.inner) })
	l.pump(l.inner, l.client)
	back.Wait()
	_ = l.client.Close()
	_ = l.inner.Close()
}

// start begins the connection to the container, under the lock so that aim and end do not miss it.
func (s *tcpServer) start(l *link, from netip.AddrPort) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links == nil {
		return net.ErrClosed
	}
	l.inner, err = s.inside.tcp(from, s.to)
	if err == nil {
		s.links[l] = struct{}{}
	}
	return err
}

func (s *tcpServer) forget(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, l)
}

// pump moves bytes until src has no more, which it tells dst and nothing else: dst may go on sending.
func (l *link) pump(dst, src *net.TCPConn) {
	_, err := dst.ReadFrom(src) // splice(2)
	if err == nil {
		err = dst.CloseWrite()
	}
	if err != nil {
		l.reset()
	}
}

func (s *tcpServer) aim(to dest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == to {
		return
	}
	s.to = to
	for l := range s.links {
		l.reset()
	}
}

func (s *tcpServer) mute() { _ = s.listener.Close() }

func (s *tcpServer) end() {
	s.mute()
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.links {
		l.reset()
	}
	s.links = nil
}
