package ports

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

const (
	batch = 16 // sockets made at once: to go into a namespace and back costs as much as two of them
	// syncnt is how often a connection is tried for again, after 1, 3 and 7 s; the client is told after 15.
	syncnt = 3
)

// namespace makes TCP sockets in the network namespace of a container, where their packets go over its lo: no bridge, no rule and
// no other container comes between. They are transparent (IP_TRANSPARENT, ip(7)), so that they may have a client's address, and
// marked. The container's socket takes the mark over from the first packet (tcp_fwmark_accept), as does a refusal
// (fwmark_reflect, both ip-sysctl.rst), and with the mark every address is local: answers come to the socket that has the client's.
type namespace struct {
	path   string
	inside *netns.Thread
	relay  *relay // that dials
	log    func(string)

	mu      sync.Mutex
	ready   bool          // the routes, the rules and the settings are there
	busy    bool          // somebody looks after them
	plain   bool          // they cannot be: clients are seen with the container's own address
	waiting []func(error) // for them
	stock   map[int][]int // sockets that are made and not used, by domain
	closed  bool
}

func newNamespace(path string, inside *netns.Thread, r *relay, log func(string)) *namespace {
	return &namespace{path: path, inside: inside, relay: r, log: log, stock: map[int][]int{}}
}

// dial starts a connection for a client, on the relay's thread. It returns false while the namespace is not ready, and has the relay
// call again when it is or cannot be.
func (n *namespace) dial(client netip.AddrPort, to dest, again func(error)) (fd int, ok bool, err error) {
	addr, shown := to.choose(client.Addr())
	if !addr.Addr().IsValid() {
		return 0, true, errNoAddress
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return 0, true, net.ErrClosed
	case !n.ready:
		n.waiting = append(n.waiting, again)
		n.begin()
		return 0, false, nil
	}
	via := to.via(addr.Addr())
	if n.plain {
		shown, via = false, netip.Addr{}
	}
	if shown {
		fd, err = n.connect(client, addr)
		if !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.EADDRINUSE) {
			return fd, true, err
		} // the client has a connection from that port to that service
	}
	fd, err = n.connect(netip.AddrPortFrom(via, 0), addr)
	return fd, true, err
}

// connect makes a connection, from an address if one is given. The lock is held.
func (n *namespace) connect(from, to netip.AddrPort) (fd int, err error) {
	if fd, err = n.take(domainOf(to.Addr())); err != nil {
		return 0, err
	}
	if from.Addr().IsValid() {
		err = os.NewSyscallError("bind", unix.Bind(fd, sockaddr(from)))
	}
	if err == nil {
		err = os.NewSyscallError("connect", unix.Connect(fd, sockaddr(to)))
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// take returns a socket of the stock, and makes that anew when it is empty. The lock is held.
func (n *namespace) take(domain int) (fd int, err error) {
	if len(n.stock[domain]) == 0 {
		err = netns.Visit(n.path, func() error {
			for range batch {
				fd, err := n.socket(domain)
				if err != nil {
					return err
				}
				n.stock[domain] = append(n.stock[domain], fd)
			}
			return nil
		})
	}
	last := len(n.stock[domain]) - 1
	if last < 0 {
		return 0, err
	}
	fd, n.stock[domain] = n.stock[domain][last], n.stock[domain][:last]
	return fd, nil
}

// socket makes one in the thread's namespace.
func (n *namespace) socket(domain int) (fd int, err error) {
	fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := setAll(fd, n.options(domain)); err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func (n *namespace) options(domain int) []option {
	all := []option{{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, {unix.IPPROTO_TCP, unix.TCP_SYNCNT, syncnt}}
	if n.plain {
		return all
	}
	return append(all,
		transparent(domain), option{unix.SOL_SOCKET, unix.SO_MARK, Mark},
		// One client's port may be the source of several connections, each to another service. Where the port is not the
		// client's, the kernel looks for one that is free for this service.
		option{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}, option{unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1},
	)
}

// renew has the next connection look after what prepare installs, which somebody may have taken away.
func (n *namespace) renew() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = false
}

// begin begins to make the namespace ready, if that has not begun: many a container never has a client. It takes as long as others
// change networks, one of whom the kernel lets do so at a time. The lock is held.
func (n *namespace) begin() {
	if !n.busy {
		n.busy = true
		n.relay.work.Go(n.prepare)
	}
}

func (n *namespace) prepare() {
	var failed error
	err := n.inside.Do(func() error {
		return netns.Visit(n.path, func() error {
			failed = answersToMark()
			return nil
		})
	})
	if failed != nil {
		n.log(fmt.Sprintf("published ports of %s: services do not see the addresses of clients: %v", n.path, failed))
	}
	n.mu.Lock()
	n.ready, n.plain, n.busy = err == nil, failed != nil, false
	waiting := n.waiting
	n.waiting = nil
	n.mu.Unlock()
	n.relay.call(func() {
		for _, again := range waiting {
			again(err)
		}
	})
}

// answersToMark has the thread's namespace bring the answers to marked sockets. Where /proc/sys is read-only, as for a hull in another
// engine's container, that cannot be.
func answersToMark() error {
	err := deliverAll()
	for _, setting := range []string{"ipv4/tcp_fwmark_accept", "ipv4/fwmark_reflect", "ipv6/fwmark_reflect"} {
		err = errors.Join(err, turn("/proc/sys/net/"+setting, "1"))
	}
	return err
}

// close gives back what was not used.
func (n *namespace) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, fds := range n.stock {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
	clear(n.stock)
}
