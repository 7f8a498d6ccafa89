package names

import (
	"net/netip"
	"sync"
)

// places are a bounded number of them, of which no asker takes more than a share: a container that floods the server has
// the others find some left. The zero value has none taken.
type places struct {
	mu  sync.Mutex
	all int
	by  map[netip.Addr]int
}

// take takes a place for the asker, or reports that there is none for it.
func (p *places) take(asker netip.Addr, most, share int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= most || p.by[asker] >= share {
		return false
	}
	if p.by == nil {
		p.by = make(map[netip.Addr]int)
	}
	p.all++
	p.by[asker]++
	return true
}

// give gives a place of the asker's back.
func (p *places) give(asker netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.by[asker]--; p.by[asker] == 0 {
		delete(p.by, asker)
	}
}
