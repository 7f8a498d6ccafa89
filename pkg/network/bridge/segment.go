package bridge

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
)

// A bridge may be cut into VLANs, and it may be on a VRF device, which has routes of its own.

// filters wants the bridge of a network that is a VLAN to keep VLANs apart.
func filters(link netlink.Link, n *network.Network) error {
	b, ok := link.(*netlink.Bridge)
	switch {
	case n.VLAN() == 0:
		return nil
	case !ok || b.VlanFiltering == nil:
		return lacksVLAN(unix.EOPNOTSUPP, n)
	case !*b.VlanFiltering:
		return errs.WithHint(errs.Invalid("the bridge %s of network %s does not keep VLANs apart", n.Interface, n.Name),
			"ip link set %s type bridge vlan_filtering 1 has it do so", n.Interface)
	}
	return nil
}

// lacksVLAN names the option that the kernel lacks when it knows no VLANs of bridges.
func lacksVLAN(err error, n *network.Network) error {
	if n.VLAN() != 0 && errors.Is(err, unix.EOPNOTSUPP) {
		return errs.WithHint(errs.Invalid("--opt %s=%d: the kernel has no VLANs of bridges", network.OptionVLAN, n.VLAN()), "it needs CONFIG_BRIDGE_VLAN_FILTERING")
	}
	return err
}

// putInVLAN makes an end a member of the network's VLAN, and of no other: what goes in belongs to it, and comes out without a tag.
func (l *Links) putInVLAN(link netlink.Link, n *network.Network) error {
	id := n.VLAN()
	if id == 0 {
		return nil
	}
	if err := l.handle.BridgeVlanAdd(link, id, true, true, false, true); err != nil {
		return fmt.Errorf("put interface %s in VLAN %d: %w", link.Attrs().Name, id, lacksVLAN(err, n))
	}
	all, err := l.handle.BridgeVlanList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // what changed are other links
		return fmt.Errorf("list VLANs: %w", err)
	}
	for _, v := range all[int32(link.Attrs().Index)] {
		if v.Vid == id {
			continue
		}
		if err := l.handle.BridgeVlanDel(link, v.Vid, false, false, false, true); err != nil {
			return fmt.Errorf("take interface %s out of VLAN %d: %w", link.Attrs().Name, v.Vid, err)
		}
	}
	return nil
}

// vrf is the VRF device of a network, nil for none.
func (l *Links) vrf(n *network.Network) (netlink.Link, error) {
	name := n.VRF()
	if name == "" {
		return nil, nil
	}
	link, err := l.find(name)
	switch {
	case err != nil:
		return nil, err
	case link == nil:
		return nil, errs.WithHint(errs.NotFound("the VRF device %s of network %s is not there", name, n.Name),
			"ip link add %s type vrf table NUMBER makes it, with a kernel that has CONFIG_NET_VRF", name)
	case link.Type() != "vrf":
		return nil, errs.Invalid("the interface %s of network %s is no VRF device but %s", name, n.Name, link.Type())
	}
	return link, nil
}
