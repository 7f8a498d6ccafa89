// Package network is what networks are: their definitions, files with the field names of netavark's, and what hull and
// hull-net say to each other about containers on them. What a network does lies in the packages below:
//
//	bridge   links, addresses and routes, through netlink
//	lease    addresses that a DHCP server lends
//	filter   the nftables rules of masquerading, isolation and published ports
//	names    the DNS server
//	ports    published ports of an ordinary user
//	server   hull-net: holds all of it together
package network

import (
	"net/netip"
	"time"
)

// Drivers of networks.
const (
	DriverBridge  = "bridge"
	DriverMacvlan = "macvlan"
	DriverIpvlan  = "ipvlan"
)

// Drivers of addresses (podman-network-create(1), --ipam-driver).
const (
	IPAMHostLocal = "host-local"
	IPAMDHCP      = "dhcp"
	IPAMNone      = "none"
)

// Network is the definition of a network, as the file of a network holds it and "network inspect" shows it.
type Network struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"` // 64 hexadecimal digits
	Driver     string            `json:"driver"`
	Interface  string            `json:"network_interface,omitempty"` // the bridge, or the parent of macvlan and ipvlan
	Created    time.Time         `json:"created"`
	Subnets    []Subnet          `json:"subnets,omitempty"`
	Routes     []Route           `json:"routes,omitempty"`
	IPv6       bool              `json:"ipv6_enabled"`
	Internal   bool              `json:"internal"`    // no way out
	DNS        bool              `json:"dns_enabled"` // containers find each other by name
	DNSServers []netip.Addr      `json:"network_dns_servers,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Options    map[string]string `json:"options,omitempty"` // keys: Option*
	IPAM       map[string]string `json:"ipam_options,omitempty"`
}

// Subnet is a range of addresses of a network.
type Subnet struct {
	Prefix  netip.Prefix `json:"subnet"`
	Gateway netip.Addr   `json:"gateway,omitzero"` // the bridge's own address; none in an internal macvlan
	Lease   *LeaseRange  `json:"lease_range,omitempty"`
}

// LeaseRange is the part of a subnet that containers get addresses from; both ends belong to it.
type LeaseRange struct {
	Start netip.Addr `json:"start_ip,omitzero"` // none: the first of the subnet
	End   netip.Addr `json:"end_ip,omitzero"`   // none: the last of the subnet
}

// Route is a route that containers on a network get.
type Route struct {
	Destination netip.Prefix `json:"destination"`
	Gateway     netip.Addr   `json:"gateway"`
	Metric      uint32       `json:"metric,omitempty"`
}

// Keys of Network.Options (podman-network-create(1), --opt).
const (
	OptionMTU            = "mtu"              // bytes
	OptionVLAN           = "vlan"             // 1 to 4094
	OptionIsolate        = "isolate"          // true: from other isolated networks; strict: from all others
	OptionMetric         = "metric"           // of the default route
	OptionMode           = "mode"             // macvlan, ipvlan, or of a bridge: managed, unmanaged
	OptionParent         = "parent"           // of macvlan and ipvlan
	OptionNoDefaultRoute = "no_default_route" // true
	OptionHostInterface  = "host_interface_name"
	OptionVRF            = "vrf"
	OptionBCLIM          = "bclim"                                // of macvlan
	OptionICC            = "com.docker.network.bridge.enable_icc" // false: see Network.Separate; podman has no word for it
)

// IPAMDriver is the key of Network.IPAM that every network has.
const IPAMDriver = "driver"
