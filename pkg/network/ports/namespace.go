package ports

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// syncnt is how often a connection is tried for again, after 1, 3 and 7 s; the client is told after 15.
const syncnt = 3

// errNotReady says that who wants to dial is called when it may.
var errNotReady = errors.New("the namespace is not ready")

// namespace makes TCP sockets in the network namespace of a container, where their packets go over its lo: no bridge, no rule and
// no other container comes between. They are transparent (IP_TRANSPARENT, ip(7)), so that they may have a client's address, and
// marked. The container's socket takes the mark over from the first packet (tcp_fwmark_accept), as does a refusal
// (fwmark_reflect, both ip-sysctl.rst), and with the mark every address is local: answers come to the socket that has the client's.
type namespace struct {
	path    string
	relay   *relay // that dials
	log     func(string)
	returns returns // of UDP

	mu      sync.Mutex
	ready   bool          // the routes, the rules and the settings are there
	busy    bool          // somebody looks after them
	plain   bool          // they cannot be: clients are seen with the container's own address
	waiting []func(error) // for them
	stock   stock
	closed  bool
}

func newNamespace(path string, r *relay, log func(string)) *namespace {
	return &namespace{path: path, relay: r, log: log, stock: stock{}}
}

// dial starts a connection for a client, on the relay's thread. With errNotReady it has the relay call again when the namespace is ready,
// or with the error when it cannot be.
func (n *namespace) dial(client netip.AddrPort, to dest, again func(error)) (fd int, err error) {
	addr, shown := to.choose(client.Addr())
	if !addr.Addr().IsValid() {
		return 0, errNoAddress
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return 0, net.ErrClosed
	case !n.ready:
		n.waiting = append(n.waiting, again)
		n.begin()
		return 0, errNotReady
	}
	via := to.via(addr.Addr())
	if n.plain {
		shown, via = false, netip.Addr{}
	}
	if shown {
		fd, err = n.connect(client, addr)
		if !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.EADDRINUSE) {
			return fd, err
		} // the client has a connection from that port to that service
	}
	return n.connect(netip.AddrPortFrom(via, 0), addr)
}

// connect makes a connection, from an address if one is given. The lock is held.
func (n *namespace) connect(from, to netip.AddrPort) (fd int, err error) {
	there := func(fn func() error) error { return netns.Visit(n.path, fn) }
	if fd, err = n.stock.take(domainOf(to.Addr()), there, n.socket); err != nil {
		return 0, err
	}
	if err := connect(fd, from, to); err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// socket makes one in the thread's namespace.
func (n *namespace) socket(domain int) (fd int, err error) {
	if fd, err = socket(domain, unix.SOCK_STREAM); err != nil {
		return 0, err
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
	n.returns.forget()
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
	there, err := netns.Enter(n.path)
	if err == nil {
		failed = there.Do(answersToMark)
		there.Close()
	}
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
	n.stock.close()
}
