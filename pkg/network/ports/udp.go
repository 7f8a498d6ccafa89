package ports

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// udpServer forwards the datagrams of one port.
type udpServer struct {
	key
	flows *flows
	log   func(string)
	work  *sync.WaitGroup

	conn atomic.Pointer[net.UDPConn]
	to   atomic.Pointer[dest]
}

// datagram is one, with room for the largest.
type datagram struct {
	data    [1 << 16]byte
	control [128]byte
	n       int
	from    netip.AddrPort
	reply   string // control message that sends an answer from the address that this was sent to
}

// datagrams keeps some for the next reader: a socket that waits has none.
var datagrams = sync.Pool{New: func() any { return new(datagram) }}

func (s *udpServer) listen() error {
	conn, err := net.ListenUDP(s.network(), &net.UDPAddr{IP: s.ip.AsSlice(), Port: int(s.number), Zone: s.ip.Zone()})
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	// A host has many addresses; an answer from another one than was asked is not an answer.
	var failed error
	err = raw.Control(func(fd uintptr) {
		family, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		switch {
		case err != nil:
			failed = err
		case family == unix.AF_INET:
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		default: // of both families, where it tells of IPv4 addresses as ::ffff:a.b.c.d
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		_ = conn.Close()
		return err
	}
	s.conn.Store(conn)
	return nil
}

func (s *udpServer) serve() {
	conn := s.conn.Load()
	s.work.Go(func() {
		raw, err := conn.SyscallConn()
		for err == nil {
			err = s.next(raw)
		}
		if !errors.Is(err, net.ErrClosed) {
			s.log("port " + s.String() + ": " + err.Error())
		}
	})
}

// next hands one datagram of a client to its flow.
func (s *udpServer) next(raw syscall.RawConn) error {
	d, err := receive(raw)
	if err != nil || d == nil {
		return err
	}
	defer datagrams.Put(d)
	f, err := s.flows.get(s, d.from, d.reply)
	if err != nil {
		return nil // a datagram may be lost, and the next may not be
	}
	f.send(d.data[:d.n])
	return nil
}

// receive waits for a datagram; it is nil when the socket had an error of a former one to tell.
func receive(raw syscall.RawConn) (d *datagram, err error) {
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		d = datagrams.Get().(*datagram) //nolint:forcetypeassert // nothing else is put there
		if failed = d.read(int(fd)); failed == nil {
			return true
		}
		datagrams.Put(d)
		d = nil
		return !errors.Is(failed, unix.EAGAIN)
	})
	return d, err
}

func (d *datagram) read(fd int) error {
	n, oobn, _, from, err := unix.Recvmsg(fd, d.data[:], d.control[:], 0)
	if err != nil {
		return err
	}
	d.n, d.from, d.reply = n, addrPort(from), ""
	if oobn > 0 {
		d.reply, err = answer(d.control[:oobn])
	}
	return err
}

func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{} // of a connected socket's peer
}

// answer makes the control message of an answer out of that of a datagram (ip(7), ipv6(7), "PKTINFO"). Which interface it
// goes by is the routes' business, but for addresses that a link alone gives a meaning.
func answer(control []byte) (string, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return "", err
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			return string(unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: [4]byte(m.Data[4:8])})), nil
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			info := &unix.Inet6Pktinfo{Addr: [16]byte(m.Data[:16])}
			if netip.AddrFrom16(info.Addr).IsLinkLocalUnicast() {
				info.Ifindex = native.Uint32(m.Data[16:])
			}
			return string(unix.PktInfo6(info)), nil
		}
	}
	return "", nil
}

// reply sends what a container answered.
func (s *udpServer) reply(to netip.AddrPort, data []byte, control string) {
	conn := s.conn.Load()
	if _, _, err := conn.WriteMsgUDPAddrPort(data, []byte(control), to); errors.Is(err, unix.EINVAL) {
		_, _, _ = conn.WriteMsgUDPAddrPort(data, nil, to) // it was sent to an address that none can be sent from: a broadcast
	}
}

func (s *udpServer) aim(to dest) {
	if old := s.to.Swap(&to); old != nil && *old != to {
		s.flows.drop(s)
	}
}

func (s *udpServer) mute() {
	_ = s.conn.Load().Close()
	s.flows.drop(s)
}

func (s *udpServer) end() { s.mute() }
