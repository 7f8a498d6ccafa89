package filter

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/network"
)

// tables that Check is tested on.
const inet, bridge = "nftables table inet hull", "nftables table bridge hull"

// well wants nothing to be told.
func well(t *testing.T, table *Table, when string) {
	t.Helper()
	if got := table.Check(); got != nil {
		t.Errorf("root %v: %s, and it says %q", table.options.Root, when, got)
	}
}

// filled are tables with a network, two containers, and as root published ports.
func filled(t *testing.T, root bool) *Table {
	t.Helper()
	table := newTable(t, root)
	n := network.Network{Interface: "hull1", DNS: true, Options: map[string]string{network.OptionICC: "false"}, Subnets: []network.Subnet{
		{Prefix: netip.MustParsePrefix("10.1.0.0/24"), Gateway: netip.MustParseAddr("10.1.0.1")},
		{Prefix: netip.MustParsePrefix("fd00::/64"), Gateway: netip.MustParseAddr("fd00::1")},
	}}
	addresses := []netip.Addr{netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("fd00::2")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		well(t, table, "all is as it was made")
	}
	must(table.Apply())
	must(table.SetNetworks([]network.Network{n}))
	must(table.Add("a", Member{HostEnd: "hv1", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Addresses: addresses}))
	must(table.Add("b", Member{HostEnd: "hv2", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, Free: true}))
	if root {
		own := Forward{Protocol: unix.IPPROTO_TCP, HostIP: netip.MustParseAddr("192.0.2.1"), HostPort: 1, To: netip.AddrPortFrom(addresses[0], 80)}
		six := Forward{Protocol: unix.IPPROTO_UDP, HostPort: 2, To: netip.AddrPortFrom(addresses[1], 80)}
		must(table.SetForwards("a", []Forward{own, six}))
	}
	return table
}

// What another program changes is told, and gone after Apply.
func TestCheck(t *testing.T) {
	for _, root := range []bool{false, true} {
		table := filled(t, root)
		forward := &nftables.Chain{Name: "forward", Table: table.sets.bridges.Table}
		keep := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		changes := map[string]func(*nftables.Conn){
			"the " + inet + " is gone": func(c *nftables.Conn) { c.FlushRuleset() },
			bridge + ": set macs lacks 1 of 2 elements": func(c *nftables.Conn) {
				keep(c.SetDeleteElements(table.sets.macs, table.sets.elements(table.members["a"])[table.sets.macs]))
			},
			inet + ": of the elements of set open 1 are not hull's": func(c *nftables.Conn) {
				keep(c.SetAddElements(table.sets.open, []nftables.SetElement{{Key: ifname("eth0")}}))
			},
			inet + ": of chain forward 0 rules are there, and should be 8": func(c *nftables.Conn) { c.FlushChain(forward) },
			inet + ": of chain forward 9 rules are there, and should be 8": func(c *nftables.Conn) {
				c.InsertRule(&nftables.Rule{Table: forward.Table, Chain: forward, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}})
			},
			inet + ": chain guests is not hull's": func(c *nftables.Conn) { c.AddChain(&nftables.Chain{Name: "guests", Table: forward.Table}) },
		}
		if root {
			changes[inet+": map own4 lacks 1 of 1 elements"] = func(c *nftables.Conn) { c.FlushSet(table.sets.own4) }
		}
		for want, change := range changes {
			err := table.inside.Do(func() error {
				c, err := nftables.New()
				if err != nil {
					return err
				}
				change(c)
				return c.Flush()
			})
			if err != nil {
				t.Fatalf("%s: %v", want, err)
			}
			if got := table.Check(); !slices.Contains(got, want) {
				t.Errorf("root %v: it says %q, want %q", root, got, want)
			}
			if err := table.Apply(); err != nil {
				t.Fatal(err)
			}
			well(t, table, "put anew after "+want)
		}
		for _, step := range []func() error{
			func() error { return table.SetForwards("a", nil) },
			func() error { return table.Remove("a") },
			func() error { return table.SetNetworks(nil) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
			well(t, table, "less was made")
		}
	}
}
