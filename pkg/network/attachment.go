package network

import "net/netip"

// Attachment is a container on networks: what hull asks of hull-net, and what hull-net writes down before it acts.
type Attachment struct {
	ID       string   `json:"id"`       // of the container
	Name     string   `json:"name"`     // of the container
	Hostname string   `json:"hostname"` // "" when it is not the container's alone
	NetNS    string   `json:"netns"`    // path of its network namespace
	Joins    []Join   `json:"joins"`
	Ports    []Port   `json:"ports,omitempty"`
	DNS      []string `json:"dns,omitempty"` // --dns: servers that are asked in place of the host's
}

// Join is a container on one network. An empty field is chosen by hull-net, and filled in its answer.
type Join struct {
	Network   Network           `json:"network"`
	Interface string            `json:"interface,omitempty"` // its name inside
	IPs       []netip.Addr      `json:"ips,omitempty"`       // at most one of each family
	MAC       string            `json:"mac,omitempty"`
	Aliases   []string          `json:"aliases,omitempty"`
	Given     []netip.Prefix    `json:"given,omitempty"` // the addresses it has, with the length of their subnets
	Gateways  []netip.Addr      `json:"gateways,omitempty"`
	Servers   []netip.Addr      `json:"servers,omitempty"` // for its resolv.conf
	Options   map[string]string `json:"options,omitempty"` // keys: OptionHostInterface
}

// Port is a published port, or Count of them in a row.
type Port struct {
	HostIP    netip.Addr `json:"host_ip,omitzero"` // none: all addresses of both families
	Host      uint16     `json:"host"`
	Container uint16     `json:"container"`
	Count     uint16     `json:"count"`
	Protocol  string     `json:"protocol"` // tcp, udp, sctp
}
