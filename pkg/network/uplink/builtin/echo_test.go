package builtin

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// pingGroups says who may have ping sockets in the namespace of the tests.
func pingGroups(t testing.TB, groups string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces of the test's own need root")
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(groups), 0); err != nil {
		t.Skipf("the test cannot say who may have ping sockets: %v", err)
	}
}

// pinger sends echo requests from the namespace and takes what comes there.
type pinger struct {
	*lab
	net.PacketConn
	six bool
}

func (l *lab) pinger(six bool) *pinger {
	l.Helper()
	p := &pinger{lab: l, six: six}
	l.must(l.inside.Do(func() (err error) {
		if six {
			p.PacketConn, err = net.ListenPacket("ip6:ipv6-icmp", "::")
		} else {
			p.PacketConn, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		}
		return err
	}))
	l.Cleanup(func() { _ = p.Close() })
	l.must(p.SetDeadline(time.Now().Add(patience)))
	return p
}

func (p *pinger) request(to string, id, sequence uint16, payload []byte) {
	p.Helper()
	message := append(make([]byte, header.ICMPv4MinimumSize), payload...) // IPv6's has the same fields
	h := header.ICMPv4(message)
	h.SetType(header.ICMPv4Echo)
	if p.six {
		h.SetType(header.ICMPv4Type(header.ICMPv6EchoRequest)) // and the kernel sets the checksum
	}
	h.SetIdent(id)
	h.SetSequence(sequence)
	h.SetChecksum(header.ICMPv4Checksum(h, 0))
	_, err := p.WriteTo(message, &net.IPAddr{IP: net.ParseIP(to)})
	p.must(err)
}

// reply is the next one; a raw socket sees other messages, too.
func (p *pinger) reply() (from string, h header.ICMPv4) {
	p.Helper()
	want := header.ICMPv4EchoReply
	if p.six {
		want = header.ICMPv4Type(header.ICMPv6EchoReply)
	}
	buf := make([]byte, 1<<16)
	for {
		n, sender, err := p.ReadFrom(buf)
		p.must(err)
		h = buf[:n]
		if h.Type() != want {
			continue
		}
		if !p.six && checksum.Checksum(h, 0) != 0xffff { // of IPv6, the kernel has looked
			p.Errorf("the checksum of %x is wrong", h[:header.ICMPv4MinimumSize])
		}
		return sender.String(), h
	}
}

func TestPing(t *testing.T) {
	pingGroups(t, "0 0")
	l := newLab(t, false)
	for i, host := range []string{host4, host6} {
		p := l.pinger(i == 1)
		for _, id := range []uint16{7, 8, 7} {
			for sequence, size := range []int{0, 56, 1400, 60000, 65000} {
				payload := bytes.Repeat([]byte{byte(id), byte(size), 3}, size)[:size]
				p.request(host, id, uint16(sequence), payload)
				from, h := p.reply()
				if from != host || h.Ident() != id || h.Sequence() != uint16(sequence) || !bytes.Equal(h[header.ICMPv4MinimumSize:], payload) {
					t.Errorf("%d bytes to %s as %d: from %s as %d the %dth of %d bytes", size, host, id, from, h.Ident(), h.Sequence(), len(h))
				}
			}
		}
	}
}

// What is not forwarded does not answer; where the loopback is open, it does by the gateway's name.
func TestPingLoopback(t *testing.T) {
	pingGroups(t, "0 0")
	for _, asked := range []bool{false, true} {
		l := newLab(t, asked)
		for i, addresses := range [][]string{
			{gateway4.String(), "10.0.2.9", "198.51.100.9", host4}, // the host has no way to the third
			{gateway6.String(), "fd00::9", "2001:db8:1::9", host6},
		} {
			p := l.pinger(i == 1)
			if asked {
				p.request(addresses[0], 1, 0, nil)
				if from, _ := p.reply(); from != addresses[0] {
					t.Errorf("%s answered for %s", from, addresses[0])
				}
				addresses = addresses[1:]
			}
			for _, to := range addresses {
				p.request(to, 1, 1, nil)
			}
			if from, _ := p.reply(); from != addresses[len(addresses)-1] { // the stack by itself would have been quicker
				t.Errorf("with the loopback open %t, %s answered", asked, from)
			}
		}
	}
}

// Where ping sockets are forbidden nothing answers, which the log has once, and the rest goes on.
func TestPingForbidden(t *testing.T) {
	pingGroups(t, "1 0")
	l := newLab(t, false)
	p := l.pinger(false)
	for sequence := range uint16(3) {
		p.request(host4, 1, sequence, nil)
	}
	port := l.serve(host4, sameBack)
	c, err := l.dial("tcp", net.JoinHostPort(host4, port)) // its packets come after those
	l.must(err)
	l.must(c.Close())
	log, err := os.ReadFile(filepath.Join(l.dir, "builtin.log"))
	l.must(err)
	if n := bytes.Count(log, []byte("net.ipv4.ping_group_range")); n != 1 {
		t.Errorf("%d times in the log: %s", n, log)
	}
	pingGroups(t, "0 0")
	p.request(host4, 1, 9, nil)
	for answered := uint16(0); answered != 9; { // the last of those before may be looked at only now, on a busy machine
		_, h := p.reply()
		answered = h.Sequence()
	}
}

// The flows are bounded, the oldest goes, and one that is not used goes in time.
func TestFlowsOfPing(t *testing.T) {
	pingGroups(t, "0 0")
	e := &echoes{gate: &gate{ctx: t.Context()}, log: io.Discard, flows: map[stack.TransportEndpointID]*echo{}}
	flow := func(n uint16) *echo {
		e.mu.Lock()
		defer e.mu.Unlock()
		f, err := e.flow(stack.TransportEndpointID{LocalAddress: tcpip.AddrFrom4([4]byte{127, 0, 0, 1}), LocalPort: n}, netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for n := range uint16(maxEchoes) {
		flow(n)
	}
	first, second := flow(0), flow(1)
	first.used, second.used = time.Now(), time.Now().Add(-time.Hour)
	flow(maxEchoes)
	if e.flows[first.id] != first || e.flows[second.id] != nil || len(e.flows) != maxEchoes {
		t.Errorf("%d flows, with the newest %t, with the oldest %t", len(e.flows), e.flows[first.id] != nil, e.flows[second.id] != nil)
	}
	if _, err := second.socket.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the oldest's socket is open: %v", err)
	}
	e.expire(first)
	if e.flows[first.id] == nil {
		t.Error("a flow that is used is gone")
	}
	first.used = time.Now().Add(-idleEcho)
	e.expire(first)
	if e.flows[first.id] != nil {
		t.Error("a flow that is not used is there")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.flows {
		e.end(f)
	}
}
