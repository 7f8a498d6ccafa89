package containers

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/uplink"
)

// bridgeMode is ContainerConfig.Network of a container on named networks.
const bridgeMode = "bridge"

// networkModes are what --network takes besides names of networks.
var networkModes = []string{"none", "host", "private", bridgeMode, "slirp4netns", "pasta"}

// Networks finds networks by name or id.
type Networks interface {
	// Resolve returns the network that a name or id means; bridge, podman and default mean the default one.
	Resolve(ctx context.Context, ref string) (network.Network, error)
	// Hold keeps networks from being removed until release is called.
	Hold(ctx context.Context) (release func(), err error)
	// Use is Resolve for a container that is about to be on the network.
	Use(ctx context.Context, ref string) (network.Network, error)
}

func (s *Service) planNetwork(ctx context.Context, p *plan, image *define.ImageConfig) error {
	c, o := p.config, &p.config.Options
	for _, text := range o.Expose {
		if _, err := network.ExposePort(text); err != nil || strings.Contains(text, ":") {
			return errs.Invalid("--expose %q is not PORT[-PORT][/tcp|udp|sctp], with ports from 1 to 65535", text)
		}
	}
	for _, name := range o.NetworkAliases {
		if name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
			return errs.Invalid("--network-alias %q is no name: it is empty or holds white space", name)
		}
	}
	c.Expose = slices.Concat(image.ExposedPorts, o.Expose)
	if err := s.planNetworkMode(ctx, p); err != nil {
		return err
	}
	if c.Network == bridgeMode {
		if err := s.planStatic(ctx, c, o); err != nil {
			return err
		}
	} else if len(o.IPs)+len(o.NetworkAliases) > 0 || o.MAC != "" {
		return errs.WithHint(errs.Invalid("--ip, --ip6, --mac-address and --network-alias are for networks: with --network=%s there is none", c.Network),
			"leave --network out, or name a network")
	}
	return s.planPorts(c, o)
}

// planNetworkMode sets the mode, and the named networks that go with bridgeMode.
func (s *Service) planNetworkMode(ctx context.Context, p *plan) error {
	c := p.config
	given := c.Options.Network
	if len(given) == 0 {
		given = []string{bridgeMode}
	}
	for _, text := range given {
		name, options, _ := strings.Cut(text, ":")
		switch name {
		case "none", "host", "container", "ns", "slirp4netns", "pasta":
			if len(given) > 1 {
				return errs.Invalid("--network %s: it cannot be combined with another network", text)
			}
			c.Network = text
			if name == "slirp4netns" || name == "pasta" {
				return uplink.Check(text)
			}
			return s.planMode(ctx, p, "--network", &c.Network, networkModes)
		case "private":
			name = bridgeMode
		}
		names := []string{name}
		if options == "" {
			names = strings.Split(name, ",")
		}
		for _, n := range names {
			j, err := s.planJoin(ctx, n, options)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(c.Joins, func(o define.Join) bool { return o.NetworkID == j.NetworkID }) {
				return errs.Invalid("--network %s is given twice", n)
			}
			c.Joins = append(c.Joins, j)
		}
	}
	c.Network = bridgeMode
	return nil
}

// planJoin reads one NAME[:OPTION=VALUE,...] of --network.
func (s *Service) planJoin(ctx context.Context, name, options string) (j define.Join, err error) {
	n, err := s.Networks.Resolve(ctx, name)
	if near := errs.Nearest(name, networkModes); near != "" && isNotFound(err) {
		return j, errs.WithHint(errs.NotFound("%v", err), `did you mean "%s"? hull network ls lists the networks`, near)
	}
	if err != nil {
		return j, err
	}
	j = define.Join{Network: n.Name, NetworkID: n.ID}
	for option := range strings.SplitSeq(options, ",") {
		if option == "" {
			continue
		}
		key, value, _ := strings.Cut(option, "=")
		if err := joinOption(&j, key, value); err != nil {
			return j, errs.WithHint(err, "see NETWORK MODES in man hull-run")
		}
	}
	return j, suits(&n, &j)
}

var joinOptions = []string{"ip", "ip6", "mac", "alias", "interface_name", "host_interface_name"}

func joinOption(j *define.Join, key, value string) error {
	if value == "" {
		return errs.Invalid("--network: option %q has no value", key)
	}
	switch key {
	case "ip", "ip6":
		j.IPs = append(j.IPs, value)
	case "mac":
		j.MAC = value
	case "alias":
		j.Aliases = append(j.Aliases, value)
	case "interface_name":
		j.Interface = value
	case "host_interface_name":
		j.HostInterface = value
	default:
		return errs.Invalid("--network: no option %q%s", key, errs.DidYouMean(key, joinOptions))
	}
	return nil
}

// holdNetworks sees to it that the networks of a container are there when its row is, which keeps them from then on.
func (s *Service) holdNetworks(ctx context.Context, c *define.ContainerConfig) (release func(), err error) {
	if !slices.ContainsFunc(c.Joins, func(j define.Join) bool { return j.Network != s.Config.Network.DefaultNetwork }) {
		return func() {}, nil // the default one is always there
	}
	release, err = s.Networks.Hold(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range c.Joins {
		if _, err := s.Networks.Resolve(ctx, j.Network); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// planStatic puts --ip, --ip6, --mac-address and --network-alias where they belong: on the only network.
func (s *Service) planStatic(ctx context.Context, c *define.ContainerConfig, o *define.CreateOptions) error {
	if len(c.Joins) > 1 && (len(o.IPs) > 0 || o.MAC != "") {
		return errs.WithHint(errs.Invalid("--ip, --ip6 and --mac-address are for a single network"), "write --network NAME:ip=ADDRESS,mac=ADDRESS")
	}
	for i := range c.Joins {
		c.Joins[i].Aliases = append(c.Joins[i].Aliases, o.NetworkAliases...)
	}
	if len(o.IPs) == 0 && o.MAC == "" {
		return nil
	}
	j := &c.Joins[0]
	j.IPs = append(j.IPs, o.IPs...)
	if o.MAC != "" {
		j.MAC = o.MAC
	}
	n, err := s.Networks.Resolve(ctx, j.Network)
	if err != nil {
		return err
	}
	return suits(&n, j)
}

// suits checks what was asked of a network: addresses in its subnets, at most one in each, and names that can be.
func suits(n *network.Network, j *define.Join) error {
	used := map[int]bool{}
	for _, text := range j.IPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return errs.Invalid("%q is no IP address", text)
		}
		i := slices.IndexFunc(n.Subnets, func(s network.Subnet) bool { return s.Prefix.Contains(ip) })
		switch {
		case i < 0:
			return errs.WithHint(errs.Invalid("address %s is in no subnet of network %s", text, n.Name), "its subnets: %s", subnets(n))
		case used[i]:
			return errs.Invalid("two addresses in subnet %s of network %s", n.Subnets[i].Prefix, n.Name)
		}
		used[i] = true
	}
	if j.MAC != "" {
		if mac, err := net.ParseMAC(j.MAC); err != nil || len(mac) != 6 || mac[0]&1 != 0 {
			return errs.Invalid("%q is no MAC address of an interface", j.MAC)
		}
	}
	for _, name := range []string{j.Interface, j.HostInterface} {
		if len(name) > 15 || strings.ContainsAny(name, "/: \t\n") || name == "." || name == ".." {
			return errs.Invalid("%q is no name of an interface: up to 15 bytes without blanks, '/' and ':'", name)
		}
	}
	return nil
}

func subnets(n *network.Network) string {
	list := make([]string, len(n.Subnets))
	for i, s := range n.Subnets {
		list[i] = s.Prefix.String()
	}
	return strings.Join(list, ", ")
}

func (s *Service) planPorts(c *define.ContainerConfig, o *define.CreateOptions) error {
	ports, err := network.ParsePorts(o.Publish)
	if err != nil {
		return err
	}
	if o.PublishAll {
		for _, text := range c.Expose {
			more, err := network.ExposePort(text)
			if err != nil {
				return err
			}
			ports = append(ports, more...)
		}
	}
	for _, p := range ports {
		if p.Protocol == "sctp" && c.Network == bridgeMode && !s.Root {
			return errs.WithHint(errs.Invalid("sctp ports can be published by root alone"), "run the container as root")
		}
		c.Ports = append(c.Ports, mapping(p))
	}
	switch {
	case hasUplink(c.Network):
		return uplink.CheckPorts(ports)
	case len(c.Ports) > 0 && c.Network != bridgeMode && c.Network != "host":
		return errs.Invalid("ports cannot be published with --network=%s: nothing leads there from the host", c.Network)
	}
	return nil
}

func mapping(p network.Port) define.PortMapping {
	return define.PortMapping{HostIP: p.IPText(), ContainerPort: p.Container, HostPort: p.Host, Range: p.Count, Protocol: p.Protocol}
}

func portsOf(c *define.ContainerConfig) []network.Port {
	list := make([]network.Port, 0, len(c.Ports))
	for _, m := range c.Ports {
		p := network.Port{Container: m.ContainerPort, Host: m.HostPort, Count: m.Range, Protocol: m.Protocol}
		p.HostIP, _ = netip.ParseAddr(m.HostIP) // "" is none
		list = append(list, p)
	}
	return list
}

func hasUplink(mode string) bool {
	name, _, _ := strings.Cut(mode, ":")
	return name == "slirp4netns" || name == "pasta"
}
