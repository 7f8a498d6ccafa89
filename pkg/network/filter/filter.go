// Package filter holds the nftables(8) rules of networks, in two tables of hull's own, "inet hull" and "bridge hull". No
// other table is read or changed. Each change is one transaction: a packet meets the rules before it or those after it.
//
//	inet hull
//	  forward      internal networks have no way out, isolated ones none to each other, and separate containers none
//	               back into their own network
//	  postrouting  what leaves a network has the host's address
//	  input        without root: a container reaches the name server of its network here, and nothing else
//	  prerouting   the name server may listen on another port than the one that is asked; as root: published ports
//	  output       as root: published ports
//	bridge hull
//	  prerouting   a container sends with its own addresses alone
package filter

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

// Member is a container's interface on a network.
type Member struct {
	HostEnd   string // name of the interface on the bridge
	MAC       net.HardwareAddr
	Addresses []netip.Addr
	Free      bool   // its addresses come from elsewhere (dhcp, none): any is right
	VRF       string // the VRF device that its bridge is on, if any
}

// Forward is a port of the host that leads to a container, by the kernel. Only root has them.
type Forward struct {
	Protocol byte       // unix.IPPROTO_*
	HostIP   netip.Addr // none: each address of the host
	HostPort uint16
	To       netip.AddrPort
}

// Table is the tables in one network namespace. Use New.
type Table struct {
	inside   *netns.Thread
	conn     *nftables.Conn
	socket   *netlink.Conn // conn's
	options  Options
	networks []network.Network
	members  map[string]Member
	forwards map[string][]Forward
	sets     *sets
}

// Options say what the tables are for.
type Options struct {
	Root    bool   // the host's own namespace: what comes in there is not filtered, and published ports are
	DNSPort uint16 // that the name servers of networks listen on: what asks them at port 53 comes there
	Name    string // of both tables; "": hull. Another hull-net in the same namespace needs others.
}

// New returns the tables of the namespace that the thread is in. Nothing is there before the first Apply.
func New(inside *netns.Thread, o Options) (*Table, error) {
	o.Name = cmp.Or(o.Name, "hull")
	t := &Table{inside: inside, options: o, members: map[string]Member{}, forwards: map[string][]Forward{}}
	return t, t.open()
}

// patience is how long answers of the kernel may take before they count as dropped: it does so where they find no room.
const patience = 10 * time.Second

func (t *Table) open() error {
	err := t.inside.Do(func() (err error) {
		t.conn, err = nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
			t.socket = c
			return c.SetOption(netlink.CapAcknowledge, true) // answers without what was asked
		}))
		return err
	})
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

// flush carries the transaction out. Where answers were dropped it may be done or not, and the socket has no use any more.
func (t *Table) flush() error {
	if err := t.socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	err := t.conn.Flush()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.sets = nil
		err = errors.Join(errors.New("the kernel has dropped its answers"), t.conn.CloseLasting(), t.open())
	}
	return err
}

// SetNetworks says which networks there are.
func (t *Table) SetNetworks(list []network.Network) error {
	before := t.networks
	t.networks = slices.Clone(list)
	if t.sets != nil && t.sets.vrf != t.onVRF() {
		t.sets = nil // there are other rules
	}
	if err := t.change(func() error { return t.sets.fillNetworks(t.conn, t.networks) }); err != nil {
		t.networks = before
		return err
	}
	return nil
}

// onVRF reports whether the bridge of a network is on a VRF device.
func (t *Table) onVRF() bool {
	return slices.ContainsFunc(t.networks, func(n network.Network) bool { return n.VRF() != "" })
}

// perFlush is how many members or published ports go into one transaction with others of their kind: the whole of it has to
// fit into the buffer of the socket, which an ordinary user cannot make larger than 208 kB.
const perFlush = 250

// Apply puts all rules anew, in place of what is there: another program may have flushed them. The rules, with the networks,
// are one transaction; members and published ports follow in as many as it takes.
func (t *Table) Apply() error {
	t.sets = nil
	sets, err := t.build()
	if err == nil {
		err = t.flush()
	}
	for part := range slices.Chunk(slices.Collect(maps.Values(t.members)), perFlush) {
		if err == nil {
			err = sets.addMembers(t.conn, part)
		}
		if err == nil {
			err = t.flush()
		}
	}
	for part := range slices.Chunk(slices.Concat(slices.Collect(maps.Values(t.forwards))...), perFlush) {
		if err == nil {
			err = sets.replaceForwards(t.conn, nil, part)
		}
		if err == nil {
			err = t.flush()
		}
	}
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	t.sets = sets
	return nil
}

// Add lets a member's packets pass.
func (t *Table) Add(id string, m Member) error {
	t.members[id] = m
	return t.change(func() error { return t.sets.addMembers(t.conn, []Member{m}) })
}

// Remove ends what Add began; an unknown id is fine.
func (t *Table) Remove(id string) error {
	m, ok := t.members[id]
	if !ok {
		return nil
	}
	delete(t.members, id)
	return t.change(func() error { return t.sets.removeMember(t.conn, m) })
}

// SetForwards replaces the published ports of a container; none takes them away.
func (t *Table) SetForwards(id string, list []Forward) error {
	before := t.forwards[id]
	if len(list) == 0 {
		delete(t.forwards, id)
	} else {
		t.forwards[id] = list
	}
	if len(before)+len(list) == 0 {
		return nil
	}
	if err := t.change(func() error { return t.sets.replaceForwards(t.conn, before, list) }); err != nil {
		return err
	}
	return t.forget(slices.Concat(before, list)...)
}

// change is one transaction. Where the tables are not as they should be, all is put anew.
func (t *Table) change(fill func() error) error {
	if t.sets == nil {
		return t.Apply()
	}
	err := fill()
	if err == nil {
		err = t.flush()
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) {
		return t.Apply()
	}
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

// Clear takes both tables away.
func (t *Table) Clear() error {
	t.sets = nil
	t.drop()
	if err := t.flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

func families() []nftables.TableFamily {
	return []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge}
}

// drop deletes both tables; that they are added first makes it right whether they are there or not.
func (t *Table) drop() {
	for _, family := range families() {
		table := &nftables.Table{Name: t.options.Name, Family: family}
		t.conn.AddTable(table)
		t.conn.DelTable(table)
	}
}

// Close closes the connection; the rules stay.
func (t *Table) Close() error { return t.conn.CloseLasting() }
