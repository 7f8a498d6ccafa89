package bridge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

// defaultMetric is that of the default route of a container (podman-network-create(1), --opt metric).
const defaultMetric = 100

// Join gives the container whose network namespace is at path an interface on a network, with the addresses, routes and
// the name in j, where all is chosen, and default routes by these gateways. What Ensure is for must be there. An interface that is
// there already is completed.
func (l *Links) Join(id, path string, j *network.Join, gateways []netip.Addr) error {
	ns, err := os.Open(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	if j.Network.Driver == network.DriverBridge {
		err = l.pair(id, ns, j)
	} else {
		err = l.child(id, ns, j)
	}
	if err != nil {
		return fmt.Errorf("join network %s: %w", j.Network.Name, err)
	}
	if err := configure(path, j, gateways); err != nil {
		return errors.Join(fmt.Errorf("join network %s: %w", j.Network.Name, err), l.Leave(id, path, j))
	}
	return nil
}

// pair makes the two ends.
func (l *Links) pair(id string, ns *os.File, j *network.Join) error {
	name := HostEnd(id, j)
	master, err := l.find(j.Network.Interface)
	if err != nil {
		return err
	}
	if master == nil {
		return fmt.Errorf("its bridge %s is gone", j.Network.Interface)
	}
	link, err := l.end(id, j)
	if err != nil {
		return err
	}
	if link == nil {
		mac, err := net.ParseMAC(j.MAC)
		if err != nil {
			return err
		}
		v := &netlink.Veth{
			LinkAttrs: netlink.NewLinkAttrs(), PeerName: j.Interface, PeerNamespace: netlink.NsFd(ns.Fd()), PeerHardwareAddr: mac,
		}
		v.Name, v.MTU, v.MasterIndex = name, l.mtu(&j.Network), master.Attrs().Index
		v.HardwareAddr = hostHardware(id, j)
		if err := l.handle.LinkAdd(v); err != nil {
			return fmt.Errorf("make interface %s: %w", j.Interface, err)
		}
		link = v
	} else if err := l.handle.LinkSetMaster(link, master); err != nil {
		return err
	}
	if err := l.putInVLAN(link, &j.Network); err != nil {
		return err
	}
	if j.Network.Separate() {
		if err := l.handle.LinkSetIsolated(link, true); err != nil {
			return fmt.Errorf("isolate interface %s from others on the bridge: %w", name, err)
		}
	}
	if err := l.handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("turn interface %s on: %w", name, err)
	}
	return nil
}

// configure sets the container's end up, from a thread in its namespace.
func configure(path string, j *network.Join, gateways []netip.Addr) error {
	return visit(path, func(own *Links) error {
		link, err := own.handle.LinkByName(j.Interface)
		if err != nil {
			return fmt.Errorf("interface %s: %w", j.Interface, err)
		}
		if err := limitBroadcasts(link, &j.Network); err != nil {
			return err
		}
		for _, s := range [][2]string{{"ipv6/conf/" + j.Interface + "/accept_dad", "0"}, {"ipv4/conf/" + j.Interface + "/arp_notify", "1"}} {
			if err := sysctl("net/"+s[0], s[1]); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		for _, a := range j.Given {
			if err := own.addAddress(link, a); err != nil {
				return err
			}
		}
		if err := own.handle.LinkSetUp(link); err != nil {
			return fmt.Errorf("turn interface %s on: %w", j.Interface, err)
		}
		return own.routes(link, j, gateways)
	})
}

// visit calls fn on a thread in the network namespace at path, with its links.
func visit(path string, fn func(*Links) error) error {
	inner, err := netns.Enter(path)
	if err != nil {
		return err
	}
	defer inner.Close()
	return inner.Do(func() error {
		handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer handle.Close()
		return fn(&Links{handle: handle, away: handle})
	})
}

func (l *Links) routes(link netlink.Link, j *network.Join, gateways []netip.Addr) error {
	list := make([]network.Route, 0, len(j.Network.Routes)+len(gateways))
	metric := defaultMetric
	if m, err := strconv.Atoi(j.Network.Options[network.OptionMetric]); err == nil {
		metric = m
	}
	for _, g := range gateways {
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if g.Is6() {
			all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		list = append(list, network.Route{Destination: all, Gateway: g, Metric: uint32(metric)})
	}
	for _, r := range append(list, j.Network.Routes...) {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(r.Destination), Gw: r.Gateway.AsSlice(), Priority: int(r.Metric)}
		if err := l.handle.RouteReplace(route); err != nil {
			return fmt.Errorf("add route %s by %s: %w", r.Destination, r.Gateway, err)
		}
	}
	return nil
}

// hostHardware is the MAC of the end on the bridge, by which it is known.
func hostHardware(id string, j *network.Join) net.HardwareAddr {
	return hardware("host", id, j.Network.ID)
}

// end is the end on the bridge of a container's pair, nil when there is none. Its name may be one that was asked for: an interface
// that has it already is somebody's, and stays as it is.
func (l *Links) end(id string, j *network.Join) (netlink.Link, error) {
	name := HostEnd(id, j)
	link, err := l.find(name)
	if err != nil || link == nil {
		return nil, err
	}
	if link.Type() != "veth" || link.Attrs().HardwareAddr.String() != hostHardware(id, j).String() {
		return nil, errs.Conflict("the name %s of an interface is taken", name)
	}
	return link, nil
}

// Leave takes the interface on a network away of the container whose network namespace is, or was, at path; one that is gone,
// or is another's by that name, is fine.
func (l *Links) Leave(id, path string, j *network.Join) error {
	if j.Network.Driver != network.DriverBridge {
		return removeChild(path, j.Interface)
	}
	link, err := l.end(id, j)
	if errs.IsConflict(err) {
		return nil
	}
	if err != nil || link == nil {
		return err
	}
	return l.remove(link.Attrs().Name)
}
