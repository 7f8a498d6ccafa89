package server

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/network"
)

// lender is a DHCP server in lan, with the addresses from 198.51.100.150 on.
type lender struct {
	mu      sync.Mutex
	next    byte
	lent    map[string]net.IP // by MAC
	heard   []string          // "TYPE ADDRESS", in order
	refuses bool              // what is lent is not renewed, and others are given
	silent  bool
	time    time.Duration
}

func (l *lender) serve(t *testing.T, lan *box) {
	t.Helper()
	must(t, lan.thread.Do(func() error {
		conn, err := server4.NewIPv4UDPConn("eth0", &net.UDPAddr{Port: dhcpv4.ServerPort})
		if err != nil {
			return err
		}
		s, err := server4.NewServer("", nil, l.answer, server4.WithConn(conn))
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = s.Close() })
		go func() { _ = s.Serve() }()
		return nil
	}))
}

func (l *lender) answer(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mac := m.ClientHWAddr.String()
	l.heard = append(l.heard, fmt.Sprintf("%s %s", m.MessageType(), m.ClientIPAddr))
	renewing := m.MessageType() == dhcpv4.MessageTypeRequest && !m.ClientIPAddr.IsUnspecified()
	if l.silent || m.MessageType() == dhcpv4.MessageTypeRelease {
		return
	}
	kind := map[dhcpv4.MessageType]dhcpv4.MessageType{dhcpv4.MessageTypeDiscover: dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeRequest: dhcpv4.MessageTypeAck}[m.MessageType()]
	if renewing && l.refuses {
		kind, l.refuses = dhcpv4.MessageTypeNak, false
		delete(l.lent, mac)
	}
	if asked := m.RequestedIPAddress(); l.lent[mac] == nil && asked != nil {
		l.lent[mac] = asked
	} else if l.lent[mac] == nil {
		l.lent[mac] = net.IPv4(198, 51, 100, 150+l.next)
		l.next++
	}
	with := []dhcpv4.Modifier{dhcpv4.WithMessageType(kind), dhcpv4.WithServerIP(net.ParseIP(lanIP)), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(lanIP)))}
	if kind != dhcpv4.MessageTypeNak {
		with = append(with, dhcpv4.WithYourIP(l.lent[mac]), dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.ParseIP(lanIP)),
			dhcpv4.WithDNS(net.ParseIP(lanIP)), dhcpv4.WithLeaseTime(uint32(l.time/time.Second)))
	}
	reply, err := dhcpv4.NewReplyFromRequest(m, with...)
	if err == nil {
		_, _ = conn.WriteTo(reply.ToBytes(), peer)
	}
}

// until waits for the server to have heard a message, and forgets what it heard.
func (l *lender) until(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		l.mu.Lock()
		heard := l.heard
		found := slices.Contains(heard, want)
		if found {
			l.heard = nil
		}
		l.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server has not heard %q: %v", want, heard)
		}
	}
}

// addresses are those of a container's eth0 in IPv4.
func (b *box) addresses() (list []string) {
	b.lab.Helper()
	must(b.lab.T, b.thread.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		all, err := netlink.AddrList(link, unix.AF_INET)
		for _, a := range all {
			list = append(list, a.IPNet.String())
		}
		return err
	}))
	return list
}

func TestLease(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		n := lanNetwork(network.DriverMacvlan, "")
		n.Subnets, n.IPAM = nil, map[string]string{network.IPAMDriver: network.IPAMDHCP}
		server := &lender{lent: map[string]net.IP{}, time: 2 * time.Second}
		server.serve(t, lan)
		lan.listen()
		a := l.on("a", n)
		j := a.joins[0]
		if j.Given[0].String() != "198.51.100.150/24" || j.Gateways[0].String() != lanIP || j.Servers[0].String() != lanIP {
			t.Errorf("it got %+v", j)
		}
		reach := func(from string) {
			t.Helper()
			if text, err := a.get(netip.MustParseAddrPort(lanIP+":80"), ""); err != nil || text != "lan to "+from {
				t.Errorf("%q, %v, want it to come from %s", text, err, from)
			}
		}
		reach("198.51.100.150")
		server.until(t, "REQUEST 198.51.100.150") // renewed
		server.mu.Lock()
		server.refuses = true
		server.mu.Unlock()
		for deadline := time.Now().Add(10 * time.Second); !slices.Equal(a.addresses(), []string{"198.51.100.151/24"}); time.Sleep(10 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
			if time.Now().After(deadline) {
				t.Fatalf("it keeps %v, which is refused", a.addresses())
			}
		}
		reach("198.51.100.151")
		l.crash()
		server.mu.Lock()
		server.lent = map[string]net.IP{} // it asks for the one that it has
		server.mu.Unlock()
		l.start()
		if got := a.addresses(); !slices.Equal(got, []string{"198.51.100.151/24"}) {
			t.Errorf("after a death of hull-net it has %v", got)
		}
		server.until(t, "REQUEST 198.51.100.151")
		a.detach()
		server.until(t, "RELEASE 198.51.100.151")
		server.mu.Lock()
		server.silent = true
		server.mu.Unlock()
		b, tried := l.box("b"), make(chan error, 1)
		go func() { tried <- b.try(network.Join{Network: n}) }()
		server.until(t, "DISCOVER 0.0.0.0")
		l.on("c", testNetwork(1))
		select {
		case err := <-tried:
			t.Errorf("while one waits for its server no other is served; it got %v", err)
		default:
		}
		if err := <-tried; err == nil || !strings.Contains(err.Error(), "DHCP server") {
			t.Errorf("no server answers: %v", err)
		}
	})
}
