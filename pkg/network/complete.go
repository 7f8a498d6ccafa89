package network

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"hull.dev/hull/pkg/errs"
)

// world is what a new network has to fit in.
type world struct {
	all   []Network
	host  Host
	root  bool // the host's interfaces are in the way of bridges, and networks of the host can be used
	pools []Pool
}

// prefixes are those that the networks have.
func (w *world) prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, n := range w.all {
		for _, s := range n.Subnets {
			list = append(list, s.Prefix)
		}
	}
	return list
}

// freeInterface is the first name of a bridge that nothing has, for networks without a name also as a name.
func (w *world) freeInterface(names bool) string {
	for i := 1; ; i++ {
		name := "hull" + strconv.Itoa(i)
		if !w.hasInterface(name) && !(names && slices.ContainsFunc(w.all, func(n Network) bool { return n.Name == name })) {
			return name
		}
	}
}

func (w *world) hasInterface(name string) bool {
	return w.root && slices.Contains(w.host.Interfaces, name) ||
		slices.ContainsFunc(w.all, func(n Network) bool { return n.Driver == DriverBridge && n.Interface == name })
}

// complete fills what was not asked for and refuses what cannot be (podman-network-create(1)). The maps of n are its own
// afterwards.
func (w *world) complete(n *Network) error {
	n.Labels, n.Options, n.IPAM = maps.Clone(n.Labels), maps.Clone(n.Options), maps.Clone(n.IPAM)
	if n.Driver == "" {
		n.Driver = DriverBridge
	}
	if err := n.translate(); err != nil {
		return err
	}
	if len(n.Options) == 0 {
		n.Options = nil
	}
	if err := w.completeIPAM(n); err != nil {
		return err
	}
	if err := w.completeNames(n); err != nil {
		return err
	}
	for i := range n.Subnets {
		s := &n.Subnets[i]
		if n.Driver != DriverIpvlan || n.Mode() == "l2" { // the routers of the other modes are not asked for an address
			w.completeGateway(n, s)
		}
	}
	if err := n.check(); err != nil {
		return err
	}
	if err := w.checkSubnets(n); err != nil {
		return err
	}
	if err := w.checkRoot(n); err != nil {
		return err
	}
	n.ID, n.Created = newID(), time.Now().Round(0) // without a reading of the process' own clock
	return nil
}

// completeGateway gives a subnet its first address as a gateway, unless nothing leads out and nobody answers for names.
func (*world) completeGateway(n *Network, s *Subnet) {
	if !s.Gateway.IsValid() && (!n.Internal || n.DNS) && s.Prefix.IsValid() {
		s.Gateway = firstOf(s.Prefix)
	}
}

func (w *world) completeNames(n *Network) error {
	if n.Driver == DriverBridge {
		switch {
		case n.Interface == "" && n.Mode() == ModeUnmanaged:
			return errs.WithHint(errs.Invalid("a bridge with --opt mode=%s has to be named", ModeUnmanaged), "--interface-name names it")
		case n.Interface == "":
			n.Interface = w.freeInterface(n.Name == "")
		case n.Mode() == ModeManaged && slices.Contains([]string{"all", "default", "lo"}, n.Interface):
			return errs.Invalid("a bridge cannot be called %s: the kernel means something else by it", n.Interface)
		case n.Mode() == ModeManaged && slices.ContainsFunc(w.all, func(o Network) bool { return o.Driver == DriverBridge && o.Interface == n.Interface }):
			return errs.Invalid("bridge name %s already in use", n.Interface)
		}
	}
	if n.Name != "" {
		return CheckName(n.Name)
	}
	n.Name = n.Interface
	if n.Driver != DriverBridge || !isName(n.Name) || slices.ContainsFunc(w.all, func(o Network) bool { return o.Name == n.Name }) {
		n.Name = w.freeInterface(true)
	}
	return nil
}

// completeIPAM chooses where addresses come from, and subnets where none are given.
func (w *world) completeIPAM(n *Network) error {
	for _, s := range n.Subnets {
		n.IPv6 = n.IPv6 || s.Prefix.IsValid() && s.Prefix.Addr().Is6()
	}
	if n.IPAM[IPAMDriver] == "" {
		driver := IPAMHostLocal
		if n.Driver == DriverMacvlan && len(n.Subnets) == 0 {
			driver = IPAMDHCP
		}
		n.IPAM = map[string]string{IPAMDriver: driver}
	}
	if n.IPAM[IPAMDriver] != IPAMHostLocal {
		n.DNS = false // nobody here knows who has which address
		return nil
	}
	if n.Driver != DriverBridge {
		return nil
	}
	if len(n.Subnets) == 0 {
		p, err := w.free4()
		if err != nil {
			return err
		}
		n.Subnets = []Subnet{{Prefix: p}}
	}
	if n.IPv6 && !slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return s.Prefix.Addr().Is6() }) {
		n.Subnets = append(n.Subnets, Subnet{Prefix: w.free6()})
	}
	return nil
}

// checkSubnets refuses subnets that another network or an address of the host has. Routes of the host's are no reason: a
// user who names a subnet knows better. A network of the host's own, as macvlan is, has the subnet of the host.
func (w *world) checkSubnets(n *Network) error {
	if n.Driver != DriverBridge || n.Mode() == ModeUnmanaged {
		return nil
	}
	for _, s := range n.Subnets {
		for _, other := range w.all {
			for _, used := range other.Subnets {
				if other.Driver == DriverBridge && used.Prefix.Overlaps(s.Prefix) {
					return errs.WithHint(errs.Conflict("subnet %s is already used on the host or by another config", s.Prefix), "network %s has %s", other.Name, used.Prefix)
				}
			}
		}
		if used, ok := overlaps(s.Prefix, w.host.Addresses); ok {
			return errs.WithHint(errs.Conflict("subnet %s is already used on the host or by another config", s.Prefix), "the host has an address in %s", used)
		}
	}
	return nil
}

// checkRoot refuses what is done in the host's own network, where an ordinary user has nothing to say.
func (w *world) checkRoot(n *Network) error {
	switch {
	case n.VRF() != "" && n.Mode() == ModeUnmanaged:
		return errs.Invalid("--opt %s=%s: with --opt %s=%s the bridge is the host's to put on a VRF device", OptionVRF, n.VRF(), OptionMode, ModeUnmanaged)
	case n.VRF() != "" && !w.root:
		return errs.Invalid("--opt %s=%s needs root: the device is one of the host's, where the bridges of a user are not", OptionVRF, n.VRF())
	case n.VRF() != "" && !slices.Contains(w.host.Interfaces, n.VRF()):
		return errs.WithHint(errs.Invalid("VRF device %s does not exist%s", n.VRF(), errs.DidYouMean(n.VRF(), w.host.Interfaces)),
			"ip link add %s type vrf table NUMBER makes it", n.VRF())
	case w.root && n.Driver == DriverBridge:
		return nil
	case w.root:
		if n.Interface != "" && !slices.Contains(w.host.Interfaces, n.Interface) {
			return errs.Invalid("parent interface %s does not exist%s", n.Interface, errs.DidYouMean(n.Interface, w.host.Interfaces))
		}
		return nil
	case n.Driver != DriverBridge:
		return errs.WithHint(errs.Invalid("driver %s needs root: it puts containers on an interface of the host's", n.Driver), "a bridge does without, and --publish leads to its containers")
	case n.Mode() == ModeUnmanaged:
		return errs.Invalid("--opt %s=%s needs root: the bridges of a user are hull's own", OptionMode, ModeUnmanaged)
	}
	return nil
}

// newID is 64 hexadecimal digits.
func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
