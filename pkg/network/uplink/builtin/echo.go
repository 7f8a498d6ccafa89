package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	maxEchoes = 256 // flows at once; for one more the oldest goes
	idleEcho  = 30 * time.Second
)

// echoes sends the namespace's echo requests (ping) from the host, by ping sockets (icmp(7)), and brings the replies back. A
// flow is a socket, as the kernel sets a request's identifier to its socket's own and gives a socket the replies with that.
type echoes struct {
	gate *gate
	log  io.Writer
	once sync.Once // to say that there are no such sockets

	mu    sync.Mutex
	flows map[stack.TransportEndpointID]*echo
}

// echo is the flow of one identifier (the local port of id) from one address to another.
type echo struct {
	id     stack.TransportEndpointID
	socket *os.File
	used   time.Time
	idle   *time.Timer
}

// request is called by the stack with a packet of ICMP, on the goroutine that reads the device: it must not wait. When it does
// not report an echo request as handled, the stack answers that itself, in everybody's name.
func (e *echoes) request(id stack.TransportEndpointID, packet *stack.PacketBuffer) bool {
	var ttl byte
	if head := packet.TransportHeader().Slice(); id.LocalAddress.Len() == header.IPv6AddressSize {
		if header.ICMPv6(head).Type() != header.ICMPv6EchoRequest {
			return false
		}
		ttl = header.IPv6(packet.NetworkHeader().Slice()).HopLimit()
	} else {
		if header.ICMPv4(head).Type() != header.ICMPv4Echo {
			return false
		}
		ttl = header.IPv4(packet.NetworkHeader().Slice()).TTL()
	}
	to, ok := e.gate.target(id)
	if !ok || to.Addr().BitLen() != id.LocalAddress.BitLen() { // an IPv4 address in IPv6's form has no reply of that form
		return true
	}
	message := stack.PayloadSince(packet.TransportHeader())
	defer message.Release()
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := e.flow(id, to.Addr())
	if err != nil {
		return true
	}
	if err := f.send(message.AsSlice(), ttl); err != nil && !errors.Is(err, unix.EAGAIN) {
		e.end(f) // the host may have another address by now, which the next flow takes
	}
	return true
}

// flow finds or makes one. e.mu is held.
func (e *echoes) flow(id stack.TransportEndpointID, to netip.Addr) (*echo, error) {
	if f := e.flows[id]; f != nil {
		f.used = time.Now()
		f.idle.Reset(idleEcho)
		return f, nil
	}
	socket, err := e.open(to)
	if err != nil {
		return nil, err
	}
	from, err := newWorld(socket)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	if len(e.flows) >= maxEchoes {
		var oldest *echo
		for _, f := range e.flows {
			if oldest == nil || f.used.Before(oldest.used) {
				oldest = f
			}
		}
		e.end(oldest)
	}
	f := &echo{id: id, socket: socket, used: time.Now()}
	f.idle = time.AfterFunc(idleEcho, func() { e.expire(f) })
	e.flows[id] = f
	go func() {
		defer context.AfterFunc(e.gate.ctx, func() { _ = socket.Close() })()
		_ = from.each(func(data []byte) error {
			e.reply(id, data)
			return nil
		})
		e.mu.Lock()
		defer e.mu.Unlock()
		e.end(f)
	}()
	return f, nil
}

// open makes a socket for echo requests to an address. Where the user may not have one, that is said once.
func (e *echoes) open(to netip.Addr) (*os.File, error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	var address unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte(to.AsSlice())}
	if to.Is6() {
		family, protocol, address = unix.AF_INET6, unix.IPPROTO_ICMPV6, &unix.SockaddrInet6{Addr: to.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		e.once.Do(func() {
			_, _ = fmt.Fprintln(e.log, "ping gets no answers: the user's groups are not in the host's net.ipv4.ping_group_range")
		})
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, address); err != nil {
		return nil, errors.Join(os.NewSyscallError("connect", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "ping"), nil
}

// send does not wait: what does not fit is lost. The message goes as far as it may in the namespace, so that traceroute does
// not find the world next door.
func (f *echo) send(message []byte, ttl byte) error {
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if f.id.LocalAddress.Len() == header.IPv6AddressSize {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	raw, err := f.socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		if failed = unix.SetsockoptInt(int(fd), level, option, int(ttl)); failed == nil {
			_, failed = unix.Write(int(fd), message)
		}
		return true
	})
	return errors.Join(err, failed)
}

// expire ends a flow that no request has used since its timer was set.
func (e *echoes) expire(f *echo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(f.used) >= idleEcho {
		e.end(f)
	}
}

// end closes a flow, which may have ended before. e.mu is held.
func (e *echoes) end(f *echo) {
	f.idle.Stop()
	_ = f.socket.Close()
	if e.flows[f.id] == f {
		delete(e.flows, f.id)
	}
}

// reply writes what a socket was answered to the namespace, as the answer of the address that was asked.
func (e *echoes) reply(id stack.TransportEndpointID, message []byte) {
	network, transport := header.IPv4ProtocolNumber, header.ICMPv4ProtocolNumber
	if id.LocalAddress.Len() == header.IPv6AddressSize {
		network, transport = header.IPv6ProtocolNumber, header.ICMPv6ProtocolNumber
		h := header.ICMPv6(message)
		if len(h) < header.ICMPv6EchoMinimumSize || h.Type() != header.ICMPv6EchoReply {
			return
		}
		h.SetIdent(id.LocalPort)
		h.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: h, Src: id.LocalAddress, Dst: id.RemoteAddress}))
	} else {
		h := header.ICMPv4(message)
		if len(h) < header.ICMPv4MinimumSize || h.Type() != header.ICMPv4EchoReply {
			return
		}
		h.SetIdent(id.LocalPort)
		h.SetChecksum(header.ICMPv4Checksum(h, 0))
	}
	e.gate.write(id, network, transport, message)
}
