package names

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// Bounds of resolv.conf(5).
const (
	maxTimeout  = 30 * time.Second
	maxAttempts = 5
	maxServers  = 8 // three is what the C library takes; a file with more is taken at its word, to a degree
)

// lookEvery is how often a question looks whether resolv.conf has changed, at most.
const lookEvery = time.Second

// resolver is what a resolv.conf says.
type resolver struct {
	servers  []netip.AddrPort
	timeout  time.Duration // of one try
	attempts int           // rounds over all servers
	rotate   bool          // each question begins with another server
}

// parseResolvConf reads what concerns servers; the search list is the containers' own affair. Without a server it is the
// one on this machine, as for the C library.
func parseResolvConf(data []byte) resolver {
	config, err := dns.ClientConfigFromReader(bytes.NewReader(data))
	if err != nil {
		config = &dns.ClientConfig{Timeout: 5, Attempts: 2} // resolv.conf(5)'s own
	}
	r := resolver{
		timeout:  min(time.Duration(min(config.Timeout, int(maxTimeout/time.Second)))*time.Second, maxTimeout),
		attempts: min(config.Attempts, maxAttempts),
	}
	for _, text := range config.Servers {
		if addr, err := netip.ParseAddr(text); err == nil && len(r.servers) < maxServers {
			r.servers = append(r.servers, netip.AddrPortFrom(addr, 53))
		}
	}
	if len(r.servers) == 0 {
		r.servers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	}
	for line := range strings.Lines(string(data)) { // the library leaves this one out
		if words := strings.Fields(line); len(words) > 0 && words[0] == "options" {
			for _, word := range words[1:] {
				r.rotate = r.rotate || word == "rotate"
			}
		}
	}
	return r
}

// identity tells a file from what it was before it was changed or replaced.
type identity struct {
	inode, size, modified, changed int64
}

// readResolvConf reads the file when it is not the one that was read before. A file that is missing or not to be read is
// about to be replaced, as a rule: what it said before holds until there is a new one.
func readResolvConf(path string, before identity) ([]byte, identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, before, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, before, err
	}
	now := identity{size: info.Size(), modified: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		now.inode, now.changed = int64(st.Ino), st.Ctim.Nano()
	}
	if now == before {
		return nil, before, nil
	}
	const limit = 1 << 20
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, before, err
	}
	return data, now, nil
}
