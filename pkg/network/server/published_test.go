package server

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/wire"
)

// echo has the container answer each datagram to port 80 with the address of who sent it.
func (b *box) echo() {
	b.lab.Helper()
	must(b.lab.T, b.thread.Do(func() error {
		c, err := net.ListenPacket("udp", ":80")
		if err != nil {
			return err
		}
		b.lab.Cleanup(func() { _ = c.Close() })
		go func() {
			buffer := make([]byte, 64)
			for {
				_, from, err := c.ReadFrom(buffer)
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(from.String())
				_, _ = c.WriteTo([]byte(b.name+" to "+host), from)
			}
		}()
		return nil
	}))
}

// ask sends a datagram and returns the answer.
func (b *box) ask(to netip.AddrPort) (string, error) {
	var conn net.Conn
	err := b.thread.Do(func() (err error) {
		conn, err = net.Dial("udp", to.String())
		return err
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(short))
	if _, err := conn.Write([]byte("?")); err != nil {
		return "", err
	}
	buffer := make([]byte, 64)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}

// hears wants who asks an address, over TCP and UDP, to hear the container web, and this to see a client's address; "" is any.
func (b *box) hears(to, client string) {
	b.lab.Helper()
	where := netip.MustParseAddrPort(to)
	for protocol, try := range map[string]func() (string, error){
		"tcp": func() (string, error) { return b.get(where, "") },
		"udp": func() (string, error) { return b.ask(where) },
	} {
		if text, err := try(); err != nil || !strings.HasPrefix(text, "web to "+client) {
			b.lab.Errorf("%s asks %s over %s and hears %q, %v; want the client %q", b.name, to, protocol, text, err, client)
		}
	}
}

// deaf wants nobody to answer.
func (b *box) deaf(to string) {
	b.lab.Helper()
	where := netip.MustParseAddrPort(to)
	if text, err := b.get(where, ""); err == nil {
		b.lab.Errorf("%s asks %s over tcp and hears %q", b.name, to, text)
	}
	if text, err := b.ask(where); err == nil {
		b.lab.Errorf("%s asks %s over udp and hears %q", b.name, to, text)
	}
}

// publish is a port of both protocols.
func publish(hostIP string, host uint16) []network.Port {
	p := network.Port{Host: host, Container: 80, Count: 1}
	if hostIP != "" {
		p.HostIP = netip.MustParseAddr(hostIP)
	}
	tcp, udp := p, p
	tcp.Protocol, udp.Protocol = "tcp", "udp"
	return []network.Port{tcp, udp}
}

// published runs a test with the container web, which publishes 8080 on all addresses and 8081 on one of the host's.
func published(t *testing.T, test func(l *lab, host, lan, web *box)) {
	t.Helper()
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		thread, err := netns.Enter("")
		must(t, err)
		t.Cleanup(thread.Close)
		web := l.on("web", testNetwork(1, routed))
		web.listen()
		web.echo()
		_, err = l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: slices.Concat(publish("", 8080), publish(hostIP, 8081), publish(hostIP6, 8081))})
		must(t, err)
		test(l, &box{lab: l, name: "host", thread: thread}, lan, web)
	})
}

func TestPublishedClients(t *testing.T) {
	published(t, func(l *lab, host, lan, web *box) {
		l.Helper()
		setUp(t, "eth0", "198.51.100.7/24", "2001:db8::7/64")
		lan.hears(hostIP+":8080", lanIP)
		lan.hears("["+hostIP6+"]:8080", lanIP6)
		lan.hears("198.51.100.7:8080", lanIP)
		lan.hears(hostIP+":8081", lanIP)
		lan.hears("["+hostIP6+"]:8081", lanIP6)
		lan.deaf("198.51.100.7:8081")
		lan.deaf("[2001:db8::7]:8081")
		lan.deaf(hostIP + ":8082")
		for _, to := range []string{"127.0.0.1:8080", "[::1]:8080", hostIP + ":8080", "[" + hostIP6 + "]:8080", hostIP + ":8081"} {
			host.hears(to, "")
		}
		host.deaf("127.0.0.1:8081")
		neighbor, other := l.on("neighbor", testNetwork(1, routed)), l.on("other", testNetwork(2, routed))
		for _, b := range []*box{web, neighbor, other} {
			b.hears(hostIP+":8080", "")
			b.hears("["+hostIP6+"]:8080", "")
		}
		_, err := l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: publish("", 8083)})
		must(t, err)
		lan.hears(hostIP+":8083", lanIP)
		lan.deaf(hostIP + ":8080")
		web.detach()
		lan.deaf(hostIP + ":8083")
	})
}

func TestPublishedAfterFlush(t *testing.T) {
	published(t, func(l *lab, host, lan, web *box) {
		l.Helper()
		conn, err := nftables.New()
		must(t, err)
		conn.FlushRuleset()
		must(t, conn.Flush())
		_, err = l.do(wire.Request{Op: wire.Reload})
		must(t, err)
		lan.hears(hostIP+":8080", lanIP)
		host.hears("127.0.0.1:8080", "")
		conn.FlushRuleset()
		must(t, conn.Flush())
		_, err = l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: publish("", 8083)}) // any change puts all anew
		must(t, err)
		lan.hears(hostIP+":8083", lanIP)
		l.crash()
		conn.FlushRuleset()
		must(t, conn.Flush())
		l.start()
		lan.hears(hostIP+":8083", lanIP)
		lan.hears("["+hostIP6+"]:8083", lanIP6)
	})
}

// What another program has in nftables is there afterwards, rule by rule.
func TestTablesOfOthers(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		conn, err := nftables.New()
		must(t, err)
		var want []string
		for _, family := range []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyIPv4, nftables.TableFamilyBridge} {
			table := conn.AddTable(&nftables.Table{Name: "firewall", Family: family})
			chain := conn.AddChain(&nftables.Chain{Name: "input", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter})
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{&expr.Counter{}}})
			want = append(want, fmt.Sprintf("%d firewall input 1", family))
		}
		must(t, conn.Flush())
		web := l.on("web", testNetwork(1, routed))
		web.listen()
		web.echo()
		_, err = l.do(wire.Request{Op: wire.Ports, ID: web.id(), Ports: publish("", 8080)})
		must(t, err)
		lan.hears(hostIP+":8080", lanIP)
		_, err = l.do(wire.Request{Op: wire.Reload})
		must(t, err)
		web.detach()
		must(t, l.server.table.Clear())
		if got := rulesOf(t, conn); !slices.Equal(got, want) {
			t.Errorf("there are %v, want %v", got, want)
		}
		must(t, l.server.table.Apply())
	})
}

// rulesOf counts the rules of all chains.
func rulesOf(t *testing.T, conn *nftables.Conn) (list []string) {
	t.Helper()
	chains, err := conn.ListChains()
	must(t, err)
	for _, c := range chains {
		rules, err := conn.GetRules(c.Table, c)
		must(t, err)
		list = append(list, fmt.Sprintf("%d %s %s %d", c.Table.Family, c.Table.Name, c.Name, len(rules)))
	}
	slices.Sort(list)
	return list
}

// The way out of a network has the host's address, and leaves no route of the container's behind.
func TestMasqueradeOfRoot(t *testing.T) {
	published(t, func(l *lab, _, lan, web *box) {
		l.Helper()
		lan.listen()
		for to, want := range map[string]string{lanIP: hostIP, "[" + lanIP6 + "]": hostIP6} {
			if text, err := web.get(netip.MustParseAddrPort(to+":80"), ""); err != nil || text != "lan to "+want {
				t.Errorf("%s: %q, %v", to, text, err)
			}
		}
		web.detach()
		if _, err := netlink.LinkByName("hull1"); err == nil {
			t.Error("the bridge is left")
		}
	})
}

// A client that sends from one port, as a sender of logs does, reaches who has the host's port now: the kernel remembers for
// each flow of datagrams where it went.
func TestPublishedFlows(t *testing.T) {
	onHost(t, func(l *lab, lan *box) {
		l.Helper()
		var client net.Conn
		must(t, lan.thread.Do(func() (err error) {
			client, err = net.Dial("udp", hostIP+":8080")
			return err
		}))
		defer client.Close()
		ask := func() string {
			_ = client.SetDeadline(time.Now().Add(short))
			if _, err := client.Write([]byte("?")); err != nil {
				return err.Error()
			}
			buffer := make([]byte, 64)
			n, err := client.Read(buffer)
			if err != nil {
				return err.Error()
			}
			return string(buffer[:n])
		}
		if text := ask(); !strings.Contains(text, "refused") {
			t.Errorf("before the port is published: %q", text)
		}
		for _, name := range []string{"first", "second"} {
			b := l.on(name, testNetwork(1, routed))
			b.echo()
			_, err := l.do(wire.Request{Op: wire.Ports, ID: b.id(), Ports: publish("", 8080)})
			must(t, err)
			if text := ask(); text != name+" to "+lanIP {
				t.Errorf("the port is that of %s, and answers %q", name, text)
			}
			b.detach()
		}
	})
}
