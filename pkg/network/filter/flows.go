package filter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel translates the first packet of a connection, and the others like it. To a sender of datagrams that never pauses
// all are one connection: it would go on to reach the container that had the port, or none if it began before the port was
// published. So what is remembered of such a port is forgotten when it changes.

// stale are flows of datagrams to ports of the host that lead elsewhere now.
type stale struct {
	ports map[uint16]bool
	own   map[netip.Addr]bool // addresses of the host's, and of containers that had a port
}

// MatchConntrackFlow reports whether the flow is one of these. The answers of one come from the container, or from the
// host where nothing was translated.
func (s *stale) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	from, _ := netip.AddrFromSlice(flow.Reverse.SrcIP)
	return flow.Forward.Protocol == unix.IPPROTO_UDP && s.ports[flow.Forward.DstPort] && s.own[from.Unmap()]
}

// forget has the kernel look anew where datagrams to these ports go.
func (t *Table) forget(changed ...Forward) error {
	s := &stale{ports: map[uint16]bool{}, own: map[netip.Addr]bool{}}
	for _, f := range changed {
		if f.Protocol == unix.IPPROTO_UDP {
			s.ports[f.HostPort], s.own[f.To.Addr()] = true, true
		}
	}
	if len(s.ports) == 0 {
		return nil
	}
	err := t.inside.Do(func() error {
		addresses, err := net.InterfaceAddrs()
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				s.own[p.Addr()] = true
			}
		}
		for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
			_, e := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, s)
			// What came meanwhile is new; and a kernel that tells nobody of its flows (CONFIG_NF_CT_NETLINK) forgets them in time.
			if !errors.Is(e, netlink.ErrDumpInterrupted) && !errors.Is(e, unix.EINVAL) {
				err = errors.Join(err, e)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("forget flows to published ports: %w", err)
	}
	return nil
}
