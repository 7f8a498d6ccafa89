package server

import (
	"slices"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/ports"
	"hull.dev/hull/pkg/network/wire"
)

// bridges are those that there are.
func (l *lab) bridges() []string {
	l.Helper()
	types, err := l.server.links.Types()
	if err != nil {
		l.Fatal(err)
	}
	var names []string
	for name, kind := range types {
		if kind == "bridge" {
			names = append(names, name)
		}
	}
	return names
}

// What another program has taken away is told, and made anew.
func TestTrouble(t *testing.T) {
	l := newLab(t)
	n := testNetwork(1)
	a, b := l.on("a", n), l.on("b", n)
	b.listen()
	trouble := func() []string {
		l.server.mu.Lock()
		defer l.server.mu.Unlock()
		return l.server.report().Trouble
	}
	if got := trouble(); got != nil {
		t.Errorf("all is well, and it says %q", got)
	}
	for _, c := range []struct{ link, want string }{
		{bridge.HostEnd(a.id(), &a.joins[0]), "container a has no interface on network " + n.Name},
		{n.Interface, "network " + n.Name + " has no bridge " + n.Interface},
	} {
		if err := l.server.inside.Do(func() error {
			link, err := netlink.LinkByName(c.link)
			if err != nil {
				return err
			}
			return netlink.LinkDel(link)
		}); err != nil {
			t.Fatal(err)
		}
		if got := trouble(); !slices.Equal(got, []string{c.want}) {
			t.Errorf("without %s it says %q", c.link, got)
		}
		if _, err := l.do(wire.Request{Op: wire.Reload}); err != nil {
			t.Fatal(err)
		}
		if got := trouble(); got != nil {
			t.Errorf("made anew, and it says %q", got)
		}
		if !a.reaches(b, 0) {
			t.Errorf("a does not reach b after %s was made anew", c.link)
		}
	}
	const answers = "the nftables table inet hull_ports is not as it was made: published ports do not answer"
	for _, c := range []struct {
		change func(*nftables.Conn)
		want   []string
	}{
		{func(c *nftables.Conn) { c.FlushRuleset() }, []string{"the nftables table bridge hull is gone", "the nftables table inet hull is gone", answers}},
		{func(c *nftables.Conn) {
			c.FlushTable(&nftables.Table{Name: ports.Name, Family: nftables.TableFamilyINet})
		}, []string{answers}},
		{
			func(c *nftables.Conn) {
				c.FlushSet(&nftables.Set{Name: "macs", Table: &nftables.Table{Name: "hull", Family: nftables.TableFamilyBridge}})
			},
			[]string{"nftables table bridge hull: set macs lacks 2 of 2 elements"},
		},
	} {
		l.changeRules(c.change)
		if got := trouble(); !slices.Equal(got, c.want) {
			t.Errorf("the rules were changed, and it says %q, want %q", got, c.want)
		}
		if _, err := l.do(wire.Request{Op: wire.Reload}); err != nil {
			t.Fatal(err)
		}
		if got := trouble(); got != nil {
			t.Errorf("put anew, and it says %q", got)
		}
	}
}

// changeRules does what another program may do where the bridges are.
func (l *lab) changeRules(change func(*nftables.Conn)) {
	l.Helper()
	must(l.T, l.server.inside.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		change(c)
		return c.Flush()
	}))
}
