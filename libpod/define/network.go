package define

import "time"

// NetworkCreateOptions is what a user asks of a new network (podman-network-create(1)). What is left out is chosen.
type NetworkCreateOptions struct {
	Name       string            `json:"name,omitempty"`      // "": that of its bridge
	Driver     string            `json:"driver,omitempty"`    // bridge, macvlan, ipvlan; "" is bridge
	Interface  string            `json:"interface,omitempty"` // of the bridge, or the parent of the others
	Subnets    []string          `json:"subnets,omitempty"`   // ADDRESS/LENGTH
	Gateways   []string          `json:"gateways,omitempty"`  // each belongs to the subnet that it is in
	Ranges     []string          `json:"ranges,omitempty"`    // ADDRESS/LENGTH or FIRST-LAST, likewise
	Routes     []string          `json:"routes,omitempty"`    // DESTINATION/LENGTH,GATEWAY[,METRIC]
	IPAMDriver string            `json:"ipamDriver,omitempty"`
	IPv6       bool              `json:"ipv6,omitempty"`
	Internal   bool              `json:"internal,omitempty"`
	DisableDNS bool              `json:"disableDNS,omitempty"`
	DNS        []string          `json:"dns,omitempty"` // servers that the network's own asks
	Labels     map[string]string `json:"labels,omitempty"`
	Options    map[string]string `json:"options,omitempty"` // --opt
	Ignore     bool              `json:"ignore,omitempty"`  // one of this name that is there will do
}

// NetworkUpdateOptions is what podman-network-update(1) changes.
type NetworkUpdateOptions struct {
	AddDNS  []string `json:"addDNSServers,omitempty"`
	DropDNS []string `json:"removeDNSServers,omitempty"`
}

// Network is a network as podman-network-inspect(1) shows it: the names are podman's, in templates too.
type Network struct {
	Name              string            `json:"name"`
	ID                string            `json:"id"`
	Driver            string            `json:"driver"`
	NetworkInterface  string            `json:"network_interface,omitempty"`
	Created           time.Time         `json:"created"`
	Subnets           []NetworkSubnet   `json:"subnets,omitempty"`
	Routes            []NetworkRoute    `json:"routes,omitempty"`
	IPv6Enabled       bool              `json:"ipv6_enabled"`
	Internal          bool              `json:"internal"`
	DNSEnabled        bool              `json:"dns_enabled"`
	NetworkDNSServers []string          `json:"network_dns_servers,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	Options           map[string]string `json:"options,omitempty"`
	IPAMOptions       map[string]string `json:"ipam_options,omitempty"`
}

// NetworkSubnet is one range of addresses.
type NetworkSubnet struct {
	Subnet     string             `json:"subnet"`
	Gateway    string             `json:"gateway,omitempty"`
	LeaseRange *NetworkLeaseRange `json:"lease_range,omitempty"`
}

// NetworkLeaseRange is the part of a subnet that containers get addresses from.
type NetworkLeaseRange struct {
	StartIP string `json:"start_ip,omitempty"`
	EndIP   string `json:"end_ip,omitempty"`
}

// NetworkRoute is a route that containers get.
type NetworkRoute struct {
	Destination string `json:"destination"`
	Gateway     string `json:"gateway"`
	Metric      uint32 `json:"metric,omitempty"`
}

// NetworkInspect is a network with the containers that run on it, by their ids.
type NetworkInspect struct {
	Network
	Containers map[string]NetworkContainer `json:"containers"`
}

// NetworkContainer is a container on a network.
type NetworkContainer struct {
	Name       string                      `json:"name"`
	Interfaces map[string]NetworkInterface `json:"interfaces,omitempty"` // by name
}

// NetworkInterface is an interface of a container's.
type NetworkInterface struct {
	Subnets    []NetworkAddress `json:"subnets,omitempty"`
	MacAddress string           `json:"mac_address"`
}

// NetworkAddress is an address with the length of its subnet.
type NetworkAddress struct {
	IPNet   string `json:"ipnet"`
	Gateway string `json:"gateway,omitempty"`
}

// NetworkUser is a container that was made for a network.
type NetworkUser struct {
	Network    string // its name or id
	ID, Name   string // of the container
	Running    bool
	Interfaces map[string]NetworkInterface // those on this network, while it runs
}

// NetworkRemoveOptions is what podman-network-rm(1) can be asked for.
type NetworkRemoveOptions struct {
	Force   bool  `json:"force,omitempty"`   // with the containers on it
	Timeout *uint `json:"timeout,omitempty"` // seconds that those have to end by themselves
}
