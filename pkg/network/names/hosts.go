package names

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// zone is a network and who is on it. A zone that is not set has hosts but nobody has said yet what it is.
type zone struct {
	Zone
	set     bool
	names   map[string][]*member // lower case, no dot at the end
	members map[netip.Addr]*member
	hosts   int // that are on it

	sockets []*socket     // under Server.change
	slots   chan struct{} // one for each question that is being asked elsewhere
	queue   places        // of these and those that wait for a slot
}

// host is a container on its zones, ordered by their names.
type host struct {
	id      string
	servers []netip.AddrPort
	members []*member
}

// member is a host on one zone.
type member struct {
	host  *host
	zone  *zone
	names []string // as they are answered, without a dot at the end
	addrs []netip.Addr
}

// zone finds or makes the zone; s.mu is held for writing.
func (s *Server) zone(name string) *zone {
	known := s.zones[name]
	if known == nil {
		known = &zone{
			Zone: Zone{Name: name}, names: make(map[string][]*member), members: make(map[netip.Addr]*member),
			slots: make(chan struct{}, maxAsked),
		}
		s.zones[name] = known
	}
	return known
}

// SetHost makes the container's names known in place of all that was known of it, in one step. A zone may be set later.
func (s *Server) SetHost(h Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeHost(h.ID)
	added := &host{id: h.ID, servers: slices.Clone(h.Servers)}
	for _, name := range slices.Sorted(maps.Keys(h.Addrs)) {
		m := &member{host: added, zone: s.zone(name), names: join(h.Names, h.Aliases[name])}
		for _, addr := range h.Addrs[name] {
			m.addrs = append(m.addrs, addr.Unmap())
		}
		m.zone.add(m)
		added.members = append(added.members, m)
	}
	s.hosts[h.ID] = added
}

// join is both lists without dots at the end, each name once in whatever case. What cannot be a name in DNS is left out:
// nobody can ask for it, and no answer could hold it.
func join(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, text := range list {
			text = strings.TrimSuffix(text, ".")
			if _, ok := dns.IsDomainName(text); ok && text != "" && !slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(other, text) }) {
				all = append(all, text)
			}
		}
	}
	return all
}

// RemoveHost forgets the container: no question that comes after it finds its names. Fine with one that is not known.
func (s *Server) RemoveHost(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeHost(id)
}

// removeHost drops the host, and the zones that nobody has set and that it was the last on; s.mu is held for writing.
func (s *Server) removeHost(id string) {
	gone := s.hosts[id]
	if gone == nil {
		return
	}
	delete(s.hosts, id)
	for _, m := range gone.members {
		m.zone.remove(m)
		s.forget(m.zone)
	}
}

// forget drops a zone that is neither set nor has a host on it; s.mu is held for writing.
func (s *Server) forget(z *zone) {
	if !z.set && z.hosts == 0 {
		delete(s.zones, z.Name)
	}
}

func (z *zone) add(m *member) {
	z.hosts++
	for _, addr := range m.addrs {
		z.members[addr] = m
	}
	for _, text := range m.names {
		key := strings.ToLower(text)
		z.names[key] = append(z.names[key], m)
	}
}

func (z *zone) remove(m *member) {
	z.hosts--
	for _, addr := range m.addrs {
		if z.members[addr] == m { // else somebody has it by now
			delete(z.members, addr)
		}
	}
	for _, text := range m.names {
		key := strings.ToLower(text)
		left := slices.DeleteFunc(z.names[key], func(other *member) bool { return other == m })
		if len(left) == 0 {
			delete(z.names, key)
		} else {
			z.names[key] = left
		}
	}
}
