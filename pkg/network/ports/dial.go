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
	stock stock
}

// close gives back what was not used.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stock.close()
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
	fd, err := d.socket(domainOf(to.Addr()))
	if err != nil {
		return nil, err
	}
	if from.IsValid() {
		// One client's port may be the source of several flows, to containers of which each is a connection of its own.
		err = setAll(fd, []option{transparent(domainOf(to.Addr())), {unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}})
	}
	if err == nil {
		err = connect(fd, from, to)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "udp"), nil
}

// socket returns one that is inside.
func (d *dialer) socket(domain int) (fd int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stock.take(domain, d.thread.Do, func(domain int) (int, error) { return socket(domain, unix.SOCK_DGRAM) })
}
