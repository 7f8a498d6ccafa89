package ports

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// answerTime is how long a container may take to accept a connection.
const answerTime = 20 * time.Second

// dest is where a port leads: a port of the container at its addresses, each with the subnet that it lies in.
type dest struct {
	v4, v6   netip.Prefix
	port     uint16
	noReturn bool
}

// choose returns the container's address for a client, and whether the socket can have the client's own address.
func (d dest) choose(client netip.Addr) (to netip.AddrPort, transparent bool) {
	own := d.v4
	if client.Is6() && d.v6.IsValid() || !d.v4.IsValid() {
		own = d.v6
	}
	transparent = !d.noReturn && client.Is4() == own.Addr().Is4() && !own.Contains(client) &&
		!client.IsLoopback() && !client.IsLinkLocalUnicast() && !client.IsUnspecified()
	return netip.AddrPortFrom(own.Addr(), d.port), transparent
}

// batch is how many sockets are made inside at once: to change to the thread there and back costs as much as ten of them.
const batch = 16

// dialer makes sockets inside.
type dialer struct {
	thread *netns.Thread

	mu    sync.Mutex
	stock map[[2]int][]int // sockets that are made and not used, by domain and type
}

// socket returns one that is inside; kind is its type, unix.SOCK_STREAM, which blocks, or SOCK_DGRAM, which does not.
func (d *dialer) socket(kind int, to netip.Addr) (fd int, err error) {
	domain := unix.AF_INET6
	if to.Is4() {
		domain = unix.AF_INET
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k := [2]int{domain, kind}
	if len(d.stock[k]) == 0 {
		err := d.thread.Do(func() error {
			for range batch {
				fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					return os.NewSyscallError("socket", err)
				}
				d.stock[k] = append(d.stock[k], fd)
			}
			return nil
		})
		if len(d.stock[k]) == 0 {
			return 0, err
		}
	}
	last := len(d.stock[k]) - 1
	fd, d.stock[k] = d.stock[k][last], d.stock[k][:last]
	return fd, nil
}

// close gives back what was not used.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, fds := range d.stock {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
	clear(d.stock)
}

// tcp starts a connection to the container, for await to wait for.
func (d *dialer) tcp(client netip.AddrPort, to dest) (*net.TCPConn, error) {
	addr, transparent := to.choose(client.Addr())
	if transparent {
		if c, err := d.startTCP(client, addr); err == nil {
			return c, nil
		} // else the client's port is in use inside, by a connection of its own from before
	}
	return d.startTCP(netip.AddrPort{}, addr)
}

func (d *dialer) startTCP(from, to netip.AddrPort) (*net.TCPConn, error) {
	fd, err := d.socket(unix.SOCK_STREAM, to.Addr())
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "tcp")
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return nil, err
	}
	c := conn.(*net.TCPConn) //nolint:forcetypeassert // it is what FileConn makes of a TCP socket
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = connect(int(fd), from, to) })
	if err := errors.Join(err, failed); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// await waits until the connection is there.
func await(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || code != 0 {
			failed = errors.Join(err, syscall.Errno(code))
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil // else it is on its way
	})
	return errors.Join(err, failed, c.SetWriteDeadline(time.Time{}))
}

// udp makes a connected socket to the container.
func (d *dialer) udp(client netip.AddrPort, to dest) (*os.File, error) {
	addr, transparent := to.choose(client.Addr())
	if transparent {
		if f, err := d.startUDP(client, addr); err == nil {
			return f, nil
		}
	}
	return d.startUDP(netip.AddrPort{}, addr)
}

func (d *dialer) startUDP(from, to netip.AddrPort) (*os.File, error) {
	fd, err := d.socket(unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, to.Addr())
	if err != nil {
		return nil, err
	}
	if err := connect(fd, from, to); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "udp"), nil
}

// connect starts the connection of a socket, from an address that the namespace need not have, if one is given.
func connect(fd int, from, to netip.AddrPort) error {
	if !to.Addr().IsValid() {
		return errors.New("the container has no address")
	}
	if from.IsValid() {
		level, option := unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT
		if from.Addr().Is4() {
			level, option = unix.IPPROTO_IP, unix.IP_TRANSPARENT
		}
		if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
			return os.NewSyscallError("setsockopt transparent", err)
		}
		// One client's port may be the source of several flows, to containers of which each is a connection of its own.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
		}
		if err := unix.Bind(fd, sockaddr(from)); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
