package libpod

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"

	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/networks"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
	"hull.dev/hull/pkg/rootless"
)

// newNetworks makes the service for networks.
func newNetworks(e *Engine, o Options) (*networks.Service, error) {
	store := &network.Store{Dir: cmp.Or(o.NetworkDir, filepath.Join(e.Dirs.Static, "networks")), Root: !rootless.Rootless()}
	if err := fill(store, o.Config.Network); err != nil {
		return nil, err
	}
	return &networks.Service{
		Store: store, Containers: containers.OnNetworks{Service: e.Containers}, Running: hullNet{e.Containers.Net}, Events: e.Events, Warn: o.Warn,
	}, nil
}

// netClient asks hull-net, which works in the user's own folder of this graph root.
func netClient(o Options, dirs containers.Dirs, graphRoot string) *wire.Client {
	path, err := o.Config.FindHelper("hull-net")
	if err != nil {
		path = "hull-net" // its start says that it is not there
	}
	c := &wire.Client{Dir: filepath.Join(dirs.Volatile, "net")}
	c.Command = []string{path, "--dir", c.Dir}
	if !rootless.Rootless() {
		c.Command = append(c.Command, "--root", "--table", tables(graphRoot))
	} else if uplink := o.Config.Network.DefaultRootlessCmd; uplink != "" {
		c.Command = append(c.Command, "--uplink", uplink)
	}
	if port := o.Config.Network.DNSBindPort; port != 0 {
		c.Command = append(c.Command, "--dns-port", strconv.Itoa(int(port)))
	}
	return c
}

// tables is the name of root's nftables tables: each graph root has its own, since all are in the host's namespace.
func tables(graphRoot string) string {
	if graphRoot == defaultGraphRoot {
		return "hull"
	}
	return "hull_" + key(graphRoot)
}

// defaultGraphRoot is root's where storage.conf says nothing else (containers-storage.conf(5)).
const defaultGraphRoot = "/var/lib/containers/storage"

// hullNet is told of changed networks where it runs.
type hullNet struct{ client *wire.Client }

func (h hullNet) NetworkChanged(ctx context.Context, n network.Network) error {
	if !h.client.Runs(ctx) {
		return nil
	}
	_, err := h.client.Ask(ctx, wire.Request{Op: wire.Changed, Network: &n})
	return err
}

// fill tells the store what containers.conf says of subnets.
func fill(s *network.Store, c config.Network) error {
	p, err := netip.ParsePrefix(c.DefaultSubnet)
	if err != nil {
		return err
	}
	s.Default = network.Default{Name: c.DefaultNetwork, Subnet: p.Masked()}
	if err := network.CheckName(s.Default.Name); err != nil {
		return fmt.Errorf("key network.default_network of containers.conf: %w", err)
	}
	for _, pool := range c.DefaultSubnetPools {
		base, err := netip.ParsePrefix(pool.Base)
		if err != nil {
			return err
		}
		s.Pools = append(s.Pools, network.Pool{Base: base.Masked(), Bits: pool.Size})
	}
	return nil
}
