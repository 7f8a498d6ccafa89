package ports

import (
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hull.dev/hull/pkg/network"
)

func TestThousandPorts(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, who)
	start := time.Now()
	var ports []network.Port
	for i := range uint16(500) {
		ports = append(ports, tcp(10000+i, 80))
	}
	ports = append(ports, network.Port{Host: 20000, Container: 1, Count: 500, Protocol: "udp"})
	l.must(l.Set(box(ports...)))
	t.Logf("1000 ports opened in %v", time.Since(start))
	l.serveUDP(500)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := i; n < 500; n += 16 {
				c, err := l.dial(l.client, "tcp", "", netip.AddrPortFrom(netip.MustParseAddr(host4), uint16(10000+n)).String())
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}
		})
	}
	all.Wait()
	if said, own := l.ask(l.client, "udp", "", host4+":20499"); said != own {
		t.Errorf("the service sees %s, the client is %s", said, own)
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	l.must(err)
	start = time.Now()
	l.Remove("1")
	after, err := filepath.Glob("/proc/self/fd/*")
	l.must(err)
	t.Logf("closed in %v, descriptors %d -> %d", time.Since(start), len(open), len(after))
	if len(open)-len(after) < 1000 {
		t.Error("ports are left open")
	}
}

func BenchmarkThroughput(b *testing.B) {
	l := newLab(b)
	l.serveTCP(80, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	l.must(l.Set(box(tcp(8080, 80))))
	c, err := l.dial(l.client, "tcp", "", host4+":8080")
	l.must(err)
	defer c.Close()
	buf := make([]byte, 1<<20)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		_, err := c.Write(buf)
		l.must(err)
	}
}

func BenchmarkConnections(b *testing.B) {
	l := newLab(b)
	l.serveTCP(80, who)
	l.must(l.Set(box(tcp(8080, 80))))
	for b.Loop() {
		l.ask(l.client, "tcp", "", host4+":8080")
	}
}

func BenchmarkDatagrams(b *testing.B) {
	l := newLab(b)
	l.serveUDP(80)
	l.must(l.Set(box(udp(8080, 80))))
	c, err := l.dial(l.client, "udp", "", host4+":8080")
	l.must(err)
	defer c.Close()
	buf := make([]byte, 100)
	for b.Loop() {
		_, err := c.Write(buf)
		l.must(err)
		_, err = c.Read(buf)
		l.must(err)
	}
}
