package ports

import (
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// dialer makes UDP sockets inside.
type dialer struct {
	thread *netns.Thread

	mu    sync.Mutex
	stock map[int][]int // sockets that are made and not used, by domain
}

// socket returns one that is inside and does not block.
func (d *dialer) socket(domain int) (fd int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.stock[domain]) == 0 {
		err := d.thread.Do(func() error {
			for range batch {
				fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					return os.NewSyscallError("socket", err)
				}
				d.stock[domain] = append(d.stock[domain], fd)
			}
			return nil
		})
		if len(d.stock[domain]) == 0 {
			return 0, err
		}
	}
	last := len(d.stock[domain]) - 1
	fd, d.stock[domain] = d.stock[domain][last], d.stock[domain][:last]
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

// udp makes a connected socket to the container, which has the client's address if answers to that come back.
func (d *dialer) udp(client netip.AddrPort, to dest) (*os.File, error) {
	addr, shown := to.choose(client.Addr())
	if !addr.Addr().IsValid() {
		return nil, errNoAddress
	}
	if shown && !to.noReturn {
		if f, err := d.start(client, addr); err == nil {
			return f, nil
		} // else the client's port is in use inside
	}
	return d.start(netip.AddrPort{}, addr)
}

func (d *dialer) start(from, to netip.AddrPort) (*os.File, error) {
	domain := domainOf(to.Addr())
	fd, err := d.socket(domain)
	if err != nil {
		return nil, err
	}
	if err := connect(fd, domain, from, to); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "udp"), nil
}

// connect connects a socket, from an address that the namespace need not have, if one is given.
func connect(fd, domain int, from, to netip.AddrPort) error {
	if from.IsValid() {
		// One client's port may be the source of several flows, to containers of which each is a connection of its own.
		if err := setAll(fd, []option{transparent(domain), {unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}}); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(from)); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	return os.NewSyscallError("connect", unix.Connect(fd, sockaddr(to)))
}
