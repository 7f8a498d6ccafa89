package bridge

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

// Containers on a macvlan or an ipvlan have no pair of ends: theirs is an interface on one of the host's, the parent, made in
// their namespace. It goes with the namespace.

// parent is the interface of the host's that a network is on: the one that it names, or that of the default route.
func (l *Links) parent(n *network.Network) (netlink.Link, error) {
	if n.Interface != "" {
		link, err := l.find(n.Interface)
		if err == nil && link == nil {
			err = errs.NotFound("the parent interface %s of network %s is gone", n.Interface, n.Name)
		}
		return link, err
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := l.handle.RouteList(nil, family)
		if err != nil {
			return nil, fmt.Errorf("look for the default route: %w", err)
		}
		routes = slices.DeleteFunc(routes, func(r netlink.Route) bool { return r.LinkIndex == 0 || r.Dst != nil && !isDefault(r.Dst) })
		if len(routes) > 0 {
			first := slices.MinFunc(routes, func(a, b netlink.Route) int { return cmp.Compare(a.Priority, b.Priority) })
			return l.handle.LinkByIndex(first.LinkIndex)
		}
	}
	return nil, errs.WithHint(errs.Invalid("network %s names no parent interface, and the host has no default route that leads over one", n.Name),
		"hull network create --opt parent=INTERFACE names it")
}

func isDefault(p *net.IPNet) bool {
	ones, _ := p.Mask.Size()
	return ones == 0
}

// HardwareAddress is the MAC of a container on a network that has not asked for one: always the same, and that of the parent
// where there is but one for both.
func (l *Links) HardwareAddress(containerID string, n *network.Network) (net.HardwareAddr, error) {
	if !sharesMAC(n) {
		return hardware(containerID, n.ID), nil
	}
	parent, err := l.parent(n)
	if err != nil {
		return nil, err
	}
	return parent.Attrs().HardwareAddr, nil
}

// sharesMAC reports whether containers on the network have the parent's address.
func sharesMAC(n *network.Network) bool {
	return n.Driver == network.DriverIpvlan || n.Driver == network.DriverMacvlan && n.Mode() == "passthru"
}

// child makes the interface of a container on the parent, in the container's namespace. It has its name in the second step: before
// Linux 6.13 none may be made that has the name of one in the namespace that it is made from, wherever it goes.
func (l *Links) child(id string, ns *os.File, j *network.Join) error {
	path, first := fmt.Sprintf("/proc/self/fd/%d", ns.Fd()), unused(id, j)
	there, err := hasInterface(path, j.Interface)
	if err != nil || there {
		return err
	}
	if there, err = hasInterface(path, first); err != nil { // an earlier hull-net died between
		return err
	}
	if !there {
		if err := l.addChild(first, ns, j); err != nil {
			return err
		}
	}
	return visit(path, func(own *Links) error {
		link, err := own.handle.LinkByName(first)
		if err == nil {
			err = own.handle.LinkSetName(link, j.Interface)
		}
		if err != nil {
			return fmt.Errorf("name interface %s: %w", j.Interface, err)
		}
		return nil
	})
}

func (l *Links) addChild(name string, ns *os.File, j *network.Join) error {
	n := &j.Network
	parent, err := l.parent(n)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.ParentIndex, attrs.Namespace = name, l.mtu(n), parent.Attrs().Index, netlink.NsFd(ns.Fd())
	mac, err := net.ParseMAC(j.MAC)
	if err != nil {
		return err
	}
	if !sharesMAC(n) {
		attrs.HardwareAddr = mac
	} else if mac.String() != parent.Attrs().HardwareAddr.String() {
		return errs.Invalid("the MAC address of a container on network %s is that of %s, %s", n.Name, parent.Attrs().Name, parent.Attrs().HardwareAddr)
	}
	if err := l.handle.LinkAdd(childLink(n, attrs)); err != nil {
		return fmt.Errorf("make interface %s on %s: %w", j.Interface, parent.Attrs().Name, unsupported(err, n.Driver))
	}
	return nil
}

func childLink(n *network.Network, attrs netlink.LinkAttrs) netlink.Link {
	if n.Driver == network.DriverIpvlan {
		modes := map[string]netlink.IPVlanMode{"l2": netlink.IPVLAN_MODE_L2, "l3": netlink.IPVLAN_MODE_L3, "l3s": netlink.IPVLAN_MODE_L3S}
		return &netlink.IPVlan{LinkAttrs: attrs, Mode: modes[n.Mode()]}
	}
	modes := map[string]netlink.MacvlanMode{
		"bridge": netlink.MACVLAN_MODE_BRIDGE, "private": netlink.MACVLAN_MODE_PRIVATE, "vepa": netlink.MACVLAN_MODE_VEPA, "passthru": netlink.MACVLAN_MODE_PASSTHRU,
	}
	return &netlink.Macvlan{LinkAttrs: attrs, Mode: modes[n.Mode()]}
}

// unsupported names the option that the kernel lacks when it knows no such kind of interface.
func unsupported(err error, kind string) error {
	options := map[string]string{network.DriverMacvlan: "CONFIG_MACVLAN", network.DriverIpvlan: "CONFIG_IPVLAN"}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return errs.WithHint(fmt.Errorf("the kernel has no %s", kind), "it needs %s, or its module", options[kind])
	}
	return err
}

// hasInterface reports whether the namespace has an interface of that name: what an earlier hull-net made.
func hasInterface(path, name string) (there bool, err error) {
	err = visit(path, func(own *Links) error {
		link, err := own.find(name)
		there = link != nil
		return err
	})
	return there, err
}

// removeChild takes the interface of a container away; with its namespace it is gone.
func removeChild(path, name string) error {
	if !netns.Mounted(path) {
		return nil
	}
	return visit(path, func(own *Links) error { return own.remove(name) })
}

// Forget takes the addresses away that a join has, and with them their routes.
func (*Links) Forget(path string, j *network.Join) error {
	return visit(path, func(own *Links) error {
		link, err := own.handle.LinkByName(j.Interface)
		if err != nil {
			return err
		}
		for _, a := range j.Given {
			if e := own.handle.AddrDel(link, &netlink.Addr{IPNet: ipNet(a)}); e != nil && !errors.Is(e, unix.EADDRNOTAVAIL) {
				err = errors.Join(err, fmt.Errorf("remove address %s: %w", a, e))
			}
		}
		return err
	})
}
