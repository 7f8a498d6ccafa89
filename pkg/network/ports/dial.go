package ports

import (
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// dialer makes UDP sockets, inside or in the namespace of a container.
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
	if shown {
		fresh := d.socket
		if to.noReturn {
			fresh = func(int) (int, error) { return d.within(to.ns, addr) }
		}
		if f, err := start(fresh, client, addr); err == nil {
			return f, nil
		} // else the client's port is in use there
	}
	return start(d.socket, netip.AddrPort{}, addr)
}

// start connects a fresh socket, from an address if one is given.
func start(fresh func(domain int) (int, error), from, to netip.AddrPort) (*os.File, error) {
	fd, err := fresh(domainOf(to.Addr()))
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

// within returns a socket in the container's own namespace, to which this service of it answers over lo.
func (d *dialer) within(ns *namespace, service netip.AddrPort) (fd int, err error) {
	err = d.thread.Do(func() error {
		return netns.Visit(ns.path, func() error {
			if err := ns.returns.bring(service); err != nil {
				return err
			}
			fd, err = socket(domainOf(service.Addr()), unix.SOCK_DGRAM)
			return err
		})
	})
	return fd, err
}

// socket returns one that is inside.
func (d *dialer) socket(domain int) (fd int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stock.take(domain, d.thread.Do, func(domain int) (int, error) { return socket(domain, unix.SOCK_DGRAM) })
}
