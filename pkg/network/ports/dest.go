package ports

import (
	"errors"
	"net/netip"
)

var errNoAddress = errors.New("the container has no address")

// dest is where a port leads: a port of the container at its addresses, each with the subnet that it lies in.
type dest struct {
	v4, v6   netip.Prefix
	port     uint16
	noReturn bool       // the container has no default route
	via4     netip.Addr // the bridge's addresses, of which one may be missing
	via6     netip.Addr
	ns       *namespace // the container's
}

// choose returns the container's address for a client, and whether the client's own address may be shown to it: not one that
// it trusts more than the client, as a neighbour's or its own.
func (d dest) choose(client netip.Addr) (to netip.AddrPort, shown bool) {
	own := d.v4
	if client.Is6() && d.v6.IsValid() || !d.v4.IsValid() {
		own = d.v6
	}
	shown = client.Is4() == own.Addr().Is4() && !own.Contains(client) &&
		!client.IsLoopback() && !client.IsLinkLocalUnicast() && !client.IsUnspecified()
	return netip.AddrPortFrom(own.Addr(), d.port), shown
}

// via is the bridge's address of the family of a.
func (d dest) via(a netip.Addr) netip.Addr {
	if a.Is4() {
		return d.via4
	}
	return d.via6
}
