package ports

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// What Prepare installs inside, and nobody else may use there.
const (
	// Mark is the mark of connections and packets that a socket of a Forwarder has: "hull" in ASCII, so that it meets no mark
	// of a single bit or a small number. Rules of others that masquerade or filter may leave packets with it alone.
	Mark = 0x68756c6c
	// Table is the number of the routing table in which every address is a local one.
	Table = 0x6875
	// Priority is that of the rules that lead to Table: before the main table (32766), after the local one (0).
	Priority = 100
	// Name is that of the nftables table, family inet.
	Name = "hull_ports"
)

// Prepare installs what brings the answers to a Forwarder's sockets: a route, a rule and an nftables table of two rules, for
// both families. It is called before bridges are made, and may be called again: it repairs what is gone.
//
// Links made after it do not look for others with their addresses, of which there are none: for as long as they do, one to two
// seconds, a bridge has no address to ask for its neighbours with when the packet's own source is not one of it.
//
// Reverse path filters need no change: the container's address is looked up without the mark, and lies behind the bridge that
// it came from. That is so unless src_valid_mark is on, which a new namespace inherits from hosts with WireGuard; it goes off.
// route_localnet stays off: no packet on a bridge has an address of a loopback.
func Prepare(inside *netns.Thread) error {
	return inside.Do(func() error {
		for _, setting := range []string{"ipv4/conf/all/src_valid_mark", "ipv6/conf/default/accept_dad"} {
			if err := turn("/proc/sys/net/"+setting, "0"); err != nil {
				return fmt.Errorf("prepare published ports: %w", err)
			}
		}
		if err := deliverAll(); err != nil {
			return fmt.Errorf("prepare published ports: %w", err)
		}
		if err := install(); err != nil {
			return fmt.Errorf("prepare published ports: install nftables table %s: %w", Name, err)
		}
		return nil
	})
}

// turn gives a setting of the kernel a value if it is there and has another.
func turn(setting, value string) error {
	data, err := os.ReadFile(setting)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a kernel without IPv6
	}
	if err != nil || strings.TrimSpace(string(data)) == value {
		return err
	}
	return os.WriteFile(setting, []byte(value), 0) //nolint:forbidigo // it is no file
}

// loopback is the number of lo in every network namespace (LOOPBACK_IFINDEX of Linux).
const loopback = 1

// deliverAll makes the addresses of both families local for packets with the mark, in the thread's namespace.
func deliverAll() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	return errors.Join(deliver(h, netlink.FAMILY_V4), deliver(h, netlink.FAMILY_V6))
}

// deliver does so for one family.
func deliver(h *netlink.Handle, family int) error {
	rule := netlink.NewRule()
	rule.Mark, rule.Priority = Mark, Priority
	return allLocal(h, family, Table, nil, rule)
}

// allLocal has a routing table in which every address of a family is a local one, with src as the source of what has none, and a rule that
// leads to it.
func allLocal(h *netlink.Handle, family, table int, src net.IP, rule *netlink.Rule) error {
	all := &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	if family == netlink.FAMILY_V6 {
		all = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	err := h.RouteReplace(&netlink.Route{
		LinkIndex: loopback, Dst: all, Table: table, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, Src: src,
	})
	if family == netlink.FAMILY_V6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EACCES)) {
		return nil // the kernel has no IPv6, or it is off: no container has an address of it either
	}
	if err != nil {
		return fmt.Errorf("add route %s to table %d: %w", all, table, err)
	}
	rule.Family, rule.Table = family, table
	if err := h.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add rule %s: %w", rule, err)
	}
	return nil
}

// install replaces the table in one transaction. As nft(8) would write it:
//
//	table inet hull_ports {
//		chain output { type filter hook output priority mangle
//			ct mark != 0x68756c6c fib saddr type != local ct mark set 0x68756c6c }
//		chain prerouting { type filter hook prerouting priority mangle
//			ct direction reply ct mark 0x68756c6c meta mark set ct mark }
//	}
func install() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: Name}
	c.AddTable(table) // so that there is one to delete
	c.DelTable(table)
	c.AddTable(table)
	mark, local, reply := binaryutil.NativeEndian.PutUint32(Mark), binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL), []byte{1}
	rule := func(name string, hook *nftables.ChainHook, exprs ...expr.Any) {
		chain := c.AddChain(&nftables.Chain{
			Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityMangle,
		})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs})
	}
	rule("output", nftables.ChainHookOutput,
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: mark},
		&expr.Fib{FlagSADDR: true, ResultADDRTYPE: true, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: local},
		&expr.Immediate{Register: 1, Data: mark},
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1, SourceRegister: true},
	)
	rule("prerouting", nftables.ChainHookPrerouting,
		&expr.Ct{Key: expr.CtKeyDIRECTION, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: reply},
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: mark},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
	)
	return c.Flush()
}

// Check reports whether the nftables table is as install made it, by the number of its rules.
func Check(inside *netns.Thread) (whole bool, err error) {
	err = inside.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
		if err != nil {
			return err
		}
		has := map[string]int{}
		for _, chain := range chains {
			if chain.Table.Name != Name {
				continue
			}
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return err
			}
			has[chain.Name] = len(rules)
		}
		whole = maps.Equal(has, map[string]int{"output": 1, "prerouting": 1})
		return nil
	})
	return whole, err
}
