// Package bridge makes the links of networks: a bridge for each network, and for each container on it a pair of virtual
// Ethernet devices with an end in both. It knows what it is told, and keeps nothing: all that it makes is found again by
// name, so that each act may be repeated after a death in the middle of it.
package bridge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
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

// Links makes links in one network namespace. Use Open. Leave may be called beside the others.
type Links struct {
	inside *netns.Thread
	handle *netlink.Handle
	away   *netlink.Handle // to remove links: the kernel answers when it is done, and others need not wait for that
	uplink int             // MTU of the way out, 0 when there is none
}

// Open returns the links of the namespace that the thread is in, and lets packets pass through it.
func Open(inside *netns.Thread) (*Links, error) {
	l := &Links{inside: inside}
	err := inside.Do(func() (err error) {
		if l.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		if l.away, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		return forward()
	})
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return l, nil
}

// forward turns forwarding on. The files are those of the thread's namespace; without IPv6 its own is not there.
func forward() error {
	if err := sysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	for _, family := range []string{"arp", "ip", "ip6"} { // what stays on a bridge is not for the tables of routed packets
		if err := sysctl("net/bridge/bridge-nf-call-"+family+"tables", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	err := sysctl("net/ipv6/conf/all/forwarding", "1")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0) //nolint:forbidigo // it is no file
}

// SetUplinkMTU says what fits through the way out; networks without an MTU of their own take it.
func (l *Links) SetUplinkMTU(mtu int) { l.uplink = mtu }

// Ensure makes the bridge of a network with its addresses, or completes the one that is there. Of a network that hull does
// not own it wants the interface to be there, and leaves it as it is.
func (l *Links) Ensure(n *network.Network) error {
	if n.Driver != network.DriverBridge {
		_, err := l.parent(n)
		return err
	}
	link, err := l.find(n.Interface)
	if err != nil {
		return err
	}
	if link == nil && !n.Owned() {
		return errs.WithHint(errs.NotFound("the bridge %s of network %s is not there", n.Interface, n.Name), "with --opt mode=unmanaged it is not hull's to make")
	}
	vrf, err := l.vrf(n)
	if err != nil {
		return err
	}
	if link == nil {
		if link, err = l.add(n); err != nil {
			return fmt.Errorf("make bridge %s: %w", n.Interface, err)
		}
	}
	if link.Type() != "bridge" {
		return fmt.Errorf("the interface %s of network %s is no bridge but %s", n.Interface, n.Name, link.Type())
	}
	if !n.Owned() {
		return filters(link, n)
	}
	if !made(link, n) {
		return errs.WithHint(errs.Conflict("the bridge %s of network %s is there already, and not of hull's making", n.Interface, n.Name), "--opt mode=unmanaged uses it as it is")
	}
	if vrf != nil && link.Attrs().MasterIndex != vrf.Attrs().Index { // before it has addresses: those of IPv6 would not outlive it
		if err := l.handle.LinkSetMaster(link, vrf); err != nil {
			return fmt.Errorf("put bridge %s on the VRF device %s: %w", n.Interface, n.VRF(), err)
		}
	}
	for _, s := range n.Subnets {
		if !s.Gateway.IsValid() {
			continue
		}
		if err := l.addAddress(link, netip.PrefixFrom(s.Gateway, s.Prefix.Bits())); err != nil {
			return fmt.Errorf("bridge %s: %w", n.Interface, err)
		}
	}
	if err := l.handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("turn bridge %s on: %w", n.Interface, err)
	}
	return nil
}

func (l *Links) add(n *network.Network) (netlink.Link, error) {
	b := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
	b.Name, b.MTU = n.Interface, l.mtu(n)
	b.HardwareAddr = bridgeHardware(n) // else it would change with each container that comes or goes
	if id := n.VLAN(); id != 0 {
		b.VlanFiltering, b.VlanDefaultPVID = new(true), &id // that of the bridge itself, with the gateway, and of each end
	}
	if err := l.handle.LinkAdd(b); err != nil {
		return nil, lacksVLAN(err, n)
	}
	link, err := l.handle.LinkByName(n.Interface)
	if err == nil {
		err = filters(link, n)
	}
	if err != nil {
		return nil, errors.Join(err, l.remove(n.Interface))
	}
	err = l.inside.Do(func() error {
		// A gateway that may be used at once, in a network where nobody else can have its address.
		err := sysctl("net/ipv6/conf/"+n.Interface+"/accept_dad", "0")
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func bridgeHardware(n *network.Network) net.HardwareAddr { return hardware("bridge", n.ID) }

// made reports whether a link is the bridge that hull made for the network: it is known by its MAC.
func made(link netlink.Link, n *network.Network) bool {
	return link.Type() == "bridge" && link.Attrs().HardwareAddr.String() == bridgeHardware(n).String()
}

// mtu is a network's own, or the uplink's. 0 is the kernel's default.
func (l *Links) mtu(n *network.Network) int {
	if mtu, err := strconv.Atoi(n.Options[network.OptionMTU]); err == nil && mtu > 0 {
		return mtu
	}
	if n.Internal {
		return 0
	}
	return l.uplink
}

func (l *Links) addAddress(link netlink.Link, address netip.Prefix) error {
	a := &netlink.Addr{IPNet: ipNet(address)}
	if address.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := l.handle.AddrAdd(link, a); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add address %s: %w", address, err)
	}
	return nil
}

// Remove takes the bridge of a network away, if it is hull's; one that is gone is fine.
func (l *Links) Remove(n *network.Network) error {
	if !n.Owned() {
		return nil
	}
	link, err := l.find(n.Interface)
	if err != nil || link == nil || !made(link, n) {
		return err
	}
	return l.remove(n.Interface)
}

func (l *Links) remove(name string) error {
	link, err := l.find(name)
	if err != nil || link == nil {
		return err
	}
	if err := l.away.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	return nil
}

// Types are the interfaces that there are: what kind each is, by its name.
func (l *Links) Types() (map[string]string, error) {
	links, err := l.handle.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	types := map[string]string{}
	for _, link := range links {
		types[link.Attrs().Name] = link.Type()
	}
	return types, nil
}

// find returns the link of that name, nil when there is none.
func (l *Links) find(name string) (netlink.Link, error) {
	link, err := l.handle.LinkByName(name)
	if _, none := errors.AsType[netlink.LinkNotFoundError](err); none {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for interface %s: %w", name, err)
	}
	return link, nil
}

// HostEnd is the name of the end on the bridge of the pair that joins a container to a network.
func HostEnd(containerID string, j *network.Join) string {
	if name := cmp.Or(j.Options[network.OptionHostInterface], j.Network.Options[network.OptionHostInterface]); name != "" {
		return name
	}
	return unused(containerID, j)
}

// unused is a name that no other interface has, for a container and a network.
func unused(containerID string, j *network.Join) string {
	sum := sha256.Sum256([]byte(containerID + " " + j.Network.ID))
	return "hv" + hex.EncodeToString(sum[:6])
}

// hardware is a locally administered unicast address made of a text.
func hardware(parts ...string) net.HardwareAddr {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\n"))
	}
	mac := net.HardwareAddr(h.Sum(nil)[:6])
	mac[0] = mac[0]&^1 | 2
	return mac
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
