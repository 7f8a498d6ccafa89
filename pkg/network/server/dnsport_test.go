package server

import (
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"hull.dev/hull/pkg/network/wire"
)

// otherPort is that of the name server in these tests.
const otherPort = 5353

// asks has the container find itself by name, over both protocols and families; and wants no answer at the port that the
// name server listens on, where that is not for containers.
func (b *box) asks(hidden bool) {
	b.lab.Helper()
	for family, server := range b.joins[0].Servers {
		for _, protocol := range []string{"udp", "tcp"} {
			got, err := b.askServer(protocol, netip.AddrPortFrom(server, 53), b.name, dns.TypeA)
			if want := b.address(0).String(); err != nil || got != want {
				b.lab.Errorf("%s asks over %s and IPv%d: %q, %v", b.name, protocol, 4+2*family, got, err)
			}
			if got, err := b.askServer(protocol, netip.AddrPortFrom(server, otherPort), b.name, dns.TypeA); hidden && err == nil {
				b.lab.Errorf("%s asks at port %d over %s and IPv%d: %q", b.name, otherPort, protocol, 4+2*family, got)
			}
		}
	}
}

// dns_bind_port of containers.conf moves the name server, and not where containers ask it.
func TestNameServerOnAnotherPort(t *testing.T) {
	l := startLab(labOf(t, otherPort))
	a := l.on("a", testNetwork(1, routed))
	l.on("b", testNetwork(2, routed))
	a.asks(true)
	if got, err := a.askServer("udp", netip.MustParseAddrPort("10.7.2.1:53"), "b", dns.TypeA); err == nil {
		t.Errorf("the name server of another network says %q", got)
	}
	l.crash()
	l.start()
	a.asks(true)
}

// As root it leaves room for a name server of the host's. Who asks that one, from a network without names, still does.
func TestNameServerBesideTheHosts(t *testing.T) {
	onHost(t, func(l *lab, _ *box) {
		l.Helper()
		l.crash()
		l.dns = otherPort
		l.start()
		for _, at := range []string{"0.0.0.0:53", "[::]:53"} {
			network := map[bool]string{true: "tcp6", false: "tcp4"}[at[0] == '[']
			taken, err := net.Listen(network, at)
			must(t, err)
			t.Cleanup(func() { _ = taken.Close() })
		}
		host, err := net.ListenPacket("udp", "0.0.0.0:53")
		must(t, err)
		go func() { _ = (&dns.Server{PacketConn: host, Handler: dns.HandlerFunc(refuse)}).ActivateAndServe() }()
		t.Cleanup(func() { _ = host.Close() })
		quiet := testNetwork(2, routed)
		quiet.DNS = false
		a, b := l.on("a", testNetwork(1, routed)), l.on("b", quiet)
		a.asks(false)
		_, err = l.do(wire.Request{Op: wire.Reload})
		must(t, err)
		a.asks(false)
		if got, err := b.askServer("udp", netip.MustParseAddrPort("10.7.2.1:53"), "a", dns.TypeA); err != nil || got != "REFUSED" {
			t.Errorf("b asks the host's: %q, %v", got, err)
		}
	})
}

func refuse(w dns.ResponseWriter, q *dns.Msg) {
	_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused))
}
