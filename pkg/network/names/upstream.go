package names

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// silentFor is how long a server that has not answered is asked after the others.
const silentFor = 30 * time.Second

// upstream is the host's resolv.conf as it was last read, and what is known of the servers that were asked.
type upstream struct {
	path string

	mu       sync.Mutex
	read     bool
	looked   time.Time
	file     identity
	resolver resolver
	turn     int // for rotate
	silent   map[netip.AddrPort]time.Time
	told     map[netip.AddrPort]bool // that it is the server itself
}

// current is what the host's resolv.conf says now.
func (u *upstream) current(log func(string)) resolver {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if u.read && now.Sub(u.looked) < lookEvery {
		return u.resolver
	}
	data, file, err := readResolvConf(u.path, u.file)
	switch {
	case err != nil && !u.read:
		log("names: " + err.Error() + "; 127.0.0.1 is asked until it can be read")
		u.resolver = parseResolvConf(nil)
	case err == nil && file != u.file:
		u.resolver, u.file = parseResolvConf(data), file
		clear(u.silent) // another network, other servers
	}
	u.read, u.looked = true, now
	return u.resolver
}

// order is in which order to ask the servers: those that have not answered lately come last.
func (u *upstream) order(servers []netip.AddrPort, rotate bool) []netip.AddrPort {
	u.mu.Lock()
	defer u.mu.Unlock()
	first := 0
	if rotate {
		u.turn++
		first = u.turn % len(servers)
	}
	now := time.Now()
	ordered := slices.Concat(servers[first:], servers[:first])
	if len(u.silent) == 0 {
		return ordered
	}
	silent := func(server netip.AddrPort) int {
		if since, ok := u.silent[server]; ok && now.Sub(since) < silentFor {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(ordered, func(a, b netip.AddrPort) int { return silent(a) - silent(b) })
	return ordered
}

// heard notes whether a server has answered.
func (u *upstream) heard(server netip.AddrPort, answered bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if answered {
		delete(u.silent, server)
		return
	}
	now := time.Now()
	maps.DeleteFunc(u.silent, func(_ netip.AddrPort, since time.Time) bool { return now.Sub(since) >= silentFor })
	u.silent[server] = now
}

// firstTime reports whether it is asked for the server for the first time.
func (u *upstream) firstTime(server netip.AddrPort) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	told := u.told[server]
	u.told[server] = true
	return !told
}
