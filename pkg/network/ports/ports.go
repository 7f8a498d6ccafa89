// Package ports publishes the ports of containers that an ordinary user runs. Its listeners are in the network namespace of
// the process, the host's; the containers have namespaces of their own, on bridges in another one, the inside.
//
// The service sees the address of the real client. For a client C:p there is a transparent socket (IP_TRANSPARENT, ip(7)): it has
// C:p as its own address although nobody there has it, and connects to the container. What brings the answers to it is a mark, with
// which all addresses are local (Mark, Table).
//
// TCP: the socket is in the container's namespace, where the packets go over lo. The service's answers have the mark of what
// it accepted.
//
//	client C:p ◄──► [ listener │ socket bound to C:p ] ◄──► lo ◄──► service
//	                   host    │        container
//
// UDP: the socket is inside, since no socket takes a mark over from a datagram. The answer goes by the container's default route to the
// bridge, where it is taken for the socket:
//
//	client C:p ──► [ listener │ socket bound to C:p ] ──► bridge ──► container      output: connection mark := Mark
//	client C:p ◄── [ listener │ socket bound to C:p ] ◄── bridge ◄── container      prerouting: packet mark := Mark
//	                   host   │   inside                                            rule Mark: all is local (Table)
//
// Prepare installs what that takes. A container without a default route sends no such answer: there the socket of UDP is in the container's
// namespace too, and the answers are told from what else the container sends by the port that they come from (returns). The source is the
// bridge's own address instead for clients on the host's loopback, with an address of the container's own subnet or of a link, or
// of the other family than the container's address.
//
// TCP is moved by a relay (relay.go), with half-closed connections kept. UDP has a flow for each client: a socket inside that is
// forgotten when nothing went through it for a while, or when there are too many; since the client's address is the
// socket's, the container does not notice that a flow was made anew.
package ports

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

// Limits of UDP flows.
const (
	idleFlow = 75 * time.Second // a resolver's or a VPN's keep-alive comes within a minute
	maxFlows = 4096             // of all ports; each takes a socket and a goroutine, some 8 kB
)

// Forwarder holds the published ports of a user's containers. Make one with New; its methods may be called at the same time.
type Forwarder struct {
	inside *dialer
	log    func(string)
	flows  *flows
	relays *relays
	work   sync.WaitGroup // all goroutines

	mu     sync.Mutex
	ports  map[key]*port
	spaces map[string]*namespace // by container
}

// Target is a container and the ports that it publishes.
type Target struct {
	ID, Name string
	NetNS    string       // path of its network namespace
	Gateways []netip.Addr // the bridge's addresses, of each family one or none
	// V4 and V6 are the container's addresses on the network that its default route goes through, each with the length of its
	// subnet; zero: it has none of that family.
	V4, V6 netip.Prefix
	// NoReturn says that the container has no default route, by which its datagrams would find a client's own address.
	NoReturn bool
	Ports    []network.Port
}

// key names a published port. No address is all of both families.
type key struct {
	protocol string
	ip       netip.Addr
	number   uint16
}

func (k key) String() string {
	if !k.ip.IsValid() {
		return fmt.Sprintf("%d/%s", k.number, k.protocol)
	}
	return fmt.Sprintf("%s/%s", netip.AddrPortFrom(k.ip, k.number), k.protocol)
}

// overlaps reports whether two published ports cannot be held at the same time.
func (k key) overlaps(o key) bool {
	if k.protocol != o.protocol || k.number != o.number {
		return false
	}
	return !k.ip.IsValid() || !o.ip.IsValid() || k.ip == o.ip ||
		k.ip.Is4() == o.ip.Is4() && (k.ip.IsUnspecified() || o.ip.IsUnspecified())
}

// port is a published port that is held.
type port struct {
	id, name string // of the container
	server
}

// server listens on a port and hands on what comes. Calls are not made at the same time.
type server interface {
	listen() error // takes the port; what comes waits
	serve()        // starts to hand on what comes, or what waits since listen
	aim(dest)      // sets where to; what goes elsewhere ends
	mute()         // gives the port back; TCP connections stay
	end()          // gives the port back and ends what goes through it
}

// New makes a Forwarder to the containers behind the namespace of inside, which Prepare was called with. It tells log what
// keeps it from answering clients. The thread has to live until Close has returned.
func New(inside *netns.Thread, log func(string)) *Forwarder {
	f := &Forwarder{inside: &dialer{thread: inside, stock: stock{}}, log: log, ports: map[key]*port{}, spaces: map[string]*namespace{}}
	f.flows = newFlows(f.inside, &f.work, idleFlow, maxFlows)
	f.relays = newRelays(inside, &f.work, relayCount())
	return f
}

// Set makes the ports of a container those of t: it opens what is new, ends what is gone with all connections through it, and
// keeps the rest with its connections. On an error all is as before; its class is ErrConflict when somebody has a port, and
// the text names who, and ErrInvalidArgument when a port cannot be published here.
func (f *Forwarder) Set(t Target) error {
	wanted, err := t.expand()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var fresh, gone []key
	for k, p := range f.ports {
		if _, stays := wanted[k]; p.id == t.ID && !stays {
			gone = append(gone, k)
		}
	}
	for k := range wanted {
		if p, ok := f.ports[k]; !ok || p.id != t.ID {
			fresh = append(fresh, k)
		}
	}
	slices.SortFunc(fresh, compare)
	opened, err := f.open(t.ID, fresh, gone)
	if err != nil {
		return err
	}
	for _, k := range gone {
		f.ports[k].end()
		delete(f.ports, k)
	}
	for k, s := range opened {
		f.ports[k] = &port{id: t.ID, server: s}
	}
	if len(wanted) == 0 {
		f.leave(t.ID)
		return nil
	}
	to := f.dest(t)
	for k, inner := range wanted {
		p := f.ports[k]
		p.name = t.Name
		to.port = inner
		p.aim(to)
	}
	for _, s := range opened {
		s.serve()
	}
	return nil
}

// dest is where the ports of a container lead, but for the number.
func (f *Forwarder) dest(t Target) dest {
	ns := f.spaces[t.ID]
	if ns == nil || ns.path != t.NetNS {
		f.leave(t.ID)
		ns = newNamespace(t.NetNS, f.relays.first(), f.log)
		f.spaces[t.ID] = ns
	}
	ns.renew()
	d := dest{v4: t.V4, v6: t.V6, noReturn: t.NoReturn, ns: ns}
	for _, g := range t.Gateways {
		if g.Is4() {
			d.via4 = g
		} else {
			d.via6 = g
		}
	}
	return d
}

// leave gives back what is kept of a container's namespace.
func (f *Forwarder) leave(id string) {
	if ns := f.spaces[id]; ns != nil {
		ns.close()
		delete(f.spaces, id)
	}
}

// open takes the fresh ports of the container id, all or none. A port of the gone ones that is in the way, as 0.0.0.0:80 is for 127.0.0.1:80, is
// given back first.
func (f *Forwarder) open(id string, fresh, gone []key) (opened map[key]server, err error) {
	opened = map[key]server{}
	var muted []key
	defer func() {
		if err == nil {
			return
		}
		for _, s := range opened {
			s.end()
		}
		for _, k := range muted {
			if again := f.ports[k].listen(); again != nil {
				err = errors.Join(err, f.explain(id, k, again))
				continue
			}
			f.ports[k].serve()
		}
	}()
	for _, k := range fresh {
		for _, g := range gone {
			if k.overlaps(g) && !slices.Contains(muted, g) {
				f.ports[g].mute()
				muted = append(muted, g)
			}
		}
		s := f.server(k)
		if err := s.listen(); err != nil {
			return opened, f.explain(id, k, err)
		}
		opened[k] = s
	}
	return opened, nil
}

func (f *Forwarder) server(k key) server {
	if k.protocol == "udp" {
		return &udpServer{key: k, flows: f.flows, log: f.log, work: &f.work}
	}
	return &tcpServer{key: k, relays: f.relays, log: f.log, fd: -1, links: map[*link]struct{}{}}
}

// Remove ends the ports of a container, and what goes through them. One that has none is fine.
func (f *Forwarder) Remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, p := range f.ports {
		if p.id == id {
			p.end()
			delete(f.ports, k)
		}
	}
	f.leave(id)
}

// Close ends all ports and returns when nothing of the Forwarder is at work any more.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	for _, p := range f.ports {
		p.end()
	}
	clear(f.ports)
	for id := range f.spaces {
		f.leave(id)
	}
	f.mu.Unlock()
	f.flows.close()
	f.relays.close()
	f.work.Wait()
	f.inside.close()
	return nil
}

// expand is the container's port behind each published one.
func (t Target) expand() (map[key]uint16, error) {
	all := map[key]uint16{}
	for i, p := range t.Ports {
		if err := check(p); err != nil {
			return nil, err
		}
		for _, other := range t.Ports[:i] {
			if n := max(p.Host, other.Host); last(p) >= n && last(other) >= n && at(p, n).overlaps(at(other, n)) {
				return nil, errs.Invalid("port %s is published twice", at(p, n))
			}
		}
		for n := range max(p.Count, 1) {
			all[at(p, p.Host+n)] = p.Container + n
		}
	}
	return all, nil
}

// at is one of the ports that p is of.
func at(p network.Port, number uint16) key {
	return key{protocol: p.Protocol, ip: p.HostIP.Unmap(), number: number}
}

func last(p network.Port) uint16 { return p.Host + max(p.Count, 1) - 1 }

func check(p network.Port) error {
	count := int(max(p.Count, 1))
	switch {
	case p.Protocol == "sctp":
		return errs.WithHint(errs.Invalid("publish port %d/sctp: only root can", p.Host), "publish it as tcp or udp, or run the container as root")
	case p.Protocol != "tcp" && p.Protocol != "udp":
		return errs.Invalid("publish port %d: there is no protocol %q", p.Host, p.Protocol)
	case p.Host == 0 || p.Container == 0 || int(p.Host)+count > 1<<16 || int(p.Container)+count > 1<<16:
		return errs.Invalid("publish %d ports of the container from %d at %d: ports are 1 to 65535", count, p.Container, p.Host)
	}
	return nil
}

// compare puts ports in the order in which they are opened.
func compare(a, b key) int {
	return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.protocol, b.protocol), a.ip.Compare(b.ip))
}
