// Package names is hull-net's DNS server. On the addresses of each network's bridge it answers the containers' questions
// for each other, and passes all others on to the servers of the host.
//
// Who asks is known by the source address, which the filter keeps from being forged. A container sees the names of all
// networks that it is on, whichever of them its question comes from, and of no other. Who asks from outside the network's
// subnets gets nothing at all, so there is nothing to reflect or to amplify.
//
// A question for a container is A, AAAA or PTR (RFC 1035, 3596); its name may end in .dns.podman or .dns.hull, which is
// never asked elsewhere. Answers about containers have a TTL of 0: they come from memory a bridge away, so a cache saves
// nothing, and one that kept an answer would have a removed container's name outlive it.
//
// Sockets that listen are made where Options.Inside says; sockets to other servers are made in the namespace of the
// process, so that 127.0.0.53 and the like mean the host's.
package names

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Listener makes the sockets that listen, in the namespace of the bridges: net.ListenUDP and net.ListenTCP on a netns.Thread.
type Listener interface {
	// ListenUDP returns a socket bound to the address. It is no net.PacketConn, which has no way to read without allocating.
	ListenUDP(ctx context.Context, at netip.AddrPort) (*net.UDPConn, error)
	ListenTCP(ctx context.Context, at netip.AddrPort) (net.Listener, error)
}

// Options are what a server is made with.
type Options struct {
	Inside     Listener
	ResolvConf string       // path of the host's resolv.conf(5), followed as it changes; "" is /etc/resolv.conf
	Port       uint16       // to listen on; 0 is 53
	Log        func(string) // gets a line about what somebody should look at; nil: nobody does
}

// Zone is a network as the server knows it.
type Zone struct {
	Name    string
	Listen  []netip.Addr     // the bridge's addresses
	Subnets []netip.Prefix   // where questions may come from
	Names   bool             // containers are found by name
	Forward bool             // other names are asked elsewhere; without, as for an internal network, they do not exist
	Servers []netip.AddrPort // asked in place of the host's; none: the host's
}

// Host is a container as the server knows it.
type Host struct {
	ID      string
	Names   []string                // on every network it is on; PTR gives them in this order
	Aliases map[string][]string     // more of them, by the name of the zone
	Addrs   map[string][]netip.Addr // by the name of the zone
	Servers []netip.AddrPort        // asked for it in place of all others; none: the network's, or the host's
}

// Server must be made with New.
type Server struct {
	options  Options
	upstream upstream
	turn     atomic.Uint32 // where the next answer of several addresses begins

	change sync.Mutex // one change of what is listened on at a time; taken before mu
	closed bool       // under change

	mu    sync.RWMutex
	zones map[string]*zone
	hosts map[string]*host
}

// New makes a server that listens nowhere yet.
func New(o Options) *Server {
	if o.Port == 0 {
		o.Port = 53
	}
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return &Server{
		options: o, zones: make(map[string]*zone), hosts: make(map[string]*host),
		upstream: upstream{path: o.ResolvConf, silent: make(map[netip.AddrPort]time.Time), told: make(map[netip.AddrPort]bool)},
	}
}

// SetZone makes the network known, or changes it, and listens on its addresses over UDP and TCP. What it listens on already
// is not touched. When an address cannot be had, nothing has changed. The context bounds the making of the sockets alone.
func (s *Server) SetZone(ctx context.Context, z Zone) error {
	s.change.Lock()
	defer s.change.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.mu.Lock()
	known := s.zone(z.Name)
	s.mu.Unlock()
	var fresh []*socket
	for _, at := range z.Listen {
		if slices.ContainsFunc(known.sockets, func(k *socket) bool { return k.at == at }) ||
			slices.ContainsFunc(fresh, func(k *socket) bool { return k.at == at }) {
			continue
		}
		k, err := s.listen(ctx, at)
		if err != nil {
			for _, k := range fresh {
				k.close()
			}
			s.mu.Lock()
			s.forget(known)
			s.mu.Unlock()
			return fmt.Errorf("names of network %q: %w", z.Name, err)
		}
		fresh = append(fresh, k)
	}
	z.Listen, z.Subnets, z.Servers = slices.Clone(z.Listen), slices.Clone(z.Subnets), slices.Clone(z.Servers)
	s.mu.Lock()
	known.Zone, known.set = z, true
	s.mu.Unlock()
	kept := fresh
	for _, k := range known.sockets {
		if slices.Contains(z.Listen, k.at) {
			kept = append(kept, k)
		} else {
			k.close()
		}
	}
	known.sockets = kept
	for _, k := range fresh {
		s.serve(context.WithoutCancel(ctx), known, k)
	}
	return nil
}

// RemoveZone stops listening for the network and forgets it; fine with one that is not known.
func (s *Server) RemoveZone(name string) {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.RLock()
	known := s.zones[name]
	s.mu.RUnlock()
	if known != nil {
		s.silence(known)
	}
}

// silence takes a zone back to one that hosts are on but that nobody has set.
func (s *Server) silence(known *zone) {
	for _, k := range known.sockets {
		k.close()
	}
	known.sockets = nil
	s.mu.Lock()
	known.Zone, known.set = Zone{Name: known.Name}, false
	s.forget(known)
	s.mu.Unlock()
}

// Close stops listening and returns when no question is being answered any more. The server cannot be used again.
func (s *Server) Close() error {
	s.change.Lock()
	defer s.change.Unlock()
	s.closed = true
	s.mu.RLock()
	zones := make([]*zone, 0, len(s.zones))
	for _, known := range s.zones {
		zones = append(zones, known)
	}
	s.mu.RUnlock()
	for _, known := range zones {
		s.silence(known)
	}
	return nil
}
