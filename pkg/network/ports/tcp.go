package ports

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acceptPause is how long a port waits when the process has no descriptor left for another connection.
const acceptPause = 100 * time.Millisecond

// tcpServer forwards the connections of one port.
type tcpServer struct {
	key
	relays *relays
	log    func(string)
	fd     int // of the listening socket, -1 without

	mu    sync.Mutex // of what follows; taken after that of a relay
	to    dest
	links map[*link]struct{} // nil after end
}

func (s *tcpServer) listen() error {
	listener, err := net.ListenTCP(s.network(), &net.TCPAddr{IP: s.ip.AsSlice(), Port: int(s.number), Zone: s.ip.Zone()})
	if err != nil {
		return err
	}
	defer listener.Close() // a copy goes on
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { s.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	err = setAll(s.fd, inherited)
	if err == nil {
		err = s.relays.first().open(s.fd, s)
	}
	if err != nil {
		s.mute()
	}
	return err
}

// inherited is what connections have of the listening socket: nothing waits to be sent, and a client that has gone without a
// word is missed within three minutes.
var inherited = []option{
	{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
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
	r := s.relays.first()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hear(s.fd, true)
}

// accept takes one connection. It is called by the first relay.
func (s *tcpServer) accept(fd int) {
	// Not by unix, which asks for the protocol of the socket each time.
	client, from, err := syscall.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	switch {
	case err == nil:
		s.forward(client, peerOf(from))
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		s.log("port " + s.String() + ": accept: " + err.Error())
		s.pause(fd)
	} // else the client has gone again
}

// peerOf is the address of a client; that of an IPv4 one is of IPv4 whatever the socket's family is.
func peerOf(a syscall.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// pause leaves clients waiting for a while. It is called by the first relay.
func (s *tcpServer) pause(fd int) {
	r := s.relays.first()
	r.hear(fd, false)
	time.AfterFunc(acceptPause, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.doors[int32(fd)] == s {
			r.hear(fd, true)
		}
	})
}

// forward connects a client to the container, now or when its namespace is ready. It is called by the
// first relay.
func (s *tcpServer) forward(client int, from netip.AddrPort) {
	again := func(err error) {
		if err != nil {
			refuse(client)
			return
		}
		s.forward(client, from)
	}
	l, err := s.dial(client, from, again)
	switch {
	case err == nil:
		s.relays.give(l)
	case !errors.Is(err, errNotReady):
		refuse(client)
	}
}

// dial starts the connection, under the lock so that aim and end do not miss it.
func (s *tcpServer) dial(client int, from netip.AddrPort, again func(error)) (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links == nil {
		return nil, net.ErrClosed
	}
	inner, err := s.to.ns.dial(from, s.to, again)
	if err != nil {
		return nil, err
	}
	l := newLink(s, s.relays.turn(), client, inner)
	s.links[l] = struct{}{}
	return l, nil
}

func refuse(client int) {
	linger(client)
	_ = unix.Close(client)
}

func (s *tcpServer) forget(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, l)
}

func (s *tcpServer) aim(to dest) {
	s.mu.Lock()
	var astray []*link
	if s.to != to {
		s.to = to
		astray = slices.Collect(maps.Keys(s.links))
	}
	s.mu.Unlock()
	reset(astray)
}

func (s *tcpServer) mute() {
	if s.fd >= 0 {
		s.relays.first().shut(s.fd)
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

func (s *tcpServer) end() {
	s.mute()
	s.mu.Lock()
	left := slices.Collect(maps.Keys(s.links))
	s.links = nil
	s.mu.Unlock()
	reset(left)
}

// reset ends links, of which some may have ended meanwhile.
func reset(links []*link) {
	for _, l := range links {
		r := l.relay
		r.mu.Lock()
		l.reset()
		r.mu.Unlock()
	}
}
