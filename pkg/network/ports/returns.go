package ports

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What returns install in a container's namespace: a routing table in which every address is a local one, as in Table, but with the container's
// address for what the container sends there, and the priority of the rules that lead to it, after all routes (32766 and 32767).
const (
	returnTable    = Table + 1
	returnPriority = 32768
)

// returns bring the answers of services in a container without a default route to the sockets that have their UDP clients'
// addresses, in its own namespace: what a service sends from its published port to an address that no other route leads to, goes by lo. A
// datagram takes no mark over from another, so these rules go by the port.
type returns struct {
	mu   sync.Mutex
	made map[netip.AddrPort]struct{}
}

// bring has the answers of a service come back. The thread is in the container's namespace.
func (r *returns) bring(service netip.AddrPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.made[service]; ok {
		return nil
	}
	if err := answersByLo(service); err != nil {
		return fmt.Errorf("bring answers of %s: %w", service, err)
	}
	if r.made == nil {
		r.made = map[netip.AddrPort]struct{}{}
	}
	r.made[service] = struct{}{}
	return nil
}

// forget has bring look again, after which the rules may be gone or the address another one.
func (r *returns) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.made)
}

func answersByLo(service netip.AddrPort) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	family := netlink.FAMILY_V4
	if service.Addr().Is6() {
		family = netlink.FAMILY_V6
	}
	rule := netlink.NewRule()
	rule.Priority, rule.IPProto, rule.Sport = returnPriority, unix.IPPROTO_UDP, netlink.NewRulePortRange(service.Port(), service.Port())
	return allLocal(h, family, returnTable, service.Addr().AsSlice(), rule)
}
