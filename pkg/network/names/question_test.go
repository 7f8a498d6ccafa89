package names

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/miekg/dns"
)

func TestReversed(t *testing.T) {
	for _, text := range []string{"192.0.2.1", "0.0.0.0", "fd00::1:2", "2001:db8:1234:5678:9abc:def0:fedc:ba98"} {
		name := reverse(t, text)
		if got, ok := reversed(name[:len(name)-1]); !ok || got != netip.MustParseAddr(text) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "in-addr.arpa", ".in-addr.arpa", "1.2.3.in-addr.arpa", "1.2.3.4.5.in-addr.arpa", "256.1.1.1.in-addr.arpa", "1.0.ip6.arpa", "a.b.c.d.in-addr.arpa"} {
		if got, ok := reversed(name); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// crowd is a server that listens nowhere, with this many containers of four names each.
func crowd(n int) *Server {
	s := New(Options{})
	for _, z := range []Zone{
		{Name: "front", Subnets: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Names: true, Forward: true},
		{Name: "back", Subnets: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}, Names: true},
	} {
		s.zone(z.Name).Zone = z
	}
	for i := range n {
		name := fmt.Sprintf("web-%d", i)
		s.SetHost(Host{
			ID: name, Names: []string{name, fmt.Sprintf("%012x", i)},
			Aliases: map[string][]string{"front": {fmt.Sprintf("service-%d", i), fmt.Sprintf("alias-%d.example.net", i)}},
			Addrs:   map[string][]netip.Addr{"front": {netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}},
		})
	}
	return s
}

func FuzzAnswer(f *testing.F) {
	for _, m := range []*dns.Msg{
		query("web-1", dns.TypeA), query("nosuch", dns.TypeAAAA), query("1.0.1.10.in-addr.arpa", dns.TypePTR),
		query("web-1.dns.podman", dns.TypeANY).SetEdns0(100, true), query("1.0.ip6.arpa", dns.TypePTR), query("web-1", dns.TypeAXFR),
	} {
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		f.Add(packed[:len(packed)-3])
	}
	s := crowd(3)
	buf := make([]byte, maxRoom)
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, from := range []string{"10.1.0.1", "10.1.0.2", "10.1.9.9", "10.2.0.1"} {
			zone := s.zones["front"]
			if from == "10.2.0.1" {
				zone = s.zones["back"]
			}
			out, a := s.answer(zone, netip.MustParseAddr(from), message, buf, false)
			if a != nil {
				if out != nil || zone.Name == "back" {
					t.Errorf("%q from %s is asked elsewhere", message, from)
				}
				if onward, err := a.onward(); err == nil && len(onward) > len(message)+11+255 {
					t.Errorf("a question of %d bytes became one of %d", len(message), len(onward))
				}
				out = a.failed()
			}
			if out == nil {
				continue
			}
			var m dns.Msg
			if err := m.Unpack(out); err != nil {
				t.Errorf("the answer to %q: %v", message, err)
			}
			if !m.Response || m.Id != uint16(message[0])<<8|uint16(message[1]) || message[2]&responseBit != 0 || len(out) > maxRoom {
				t.Errorf("%q is answered with %d bytes, %v", message, len(out), m.MsgHdr)
			}
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	s := crowd(5000)
	message, err := query("web-4321", dns.TypeA).Pack()
	if err != nil {
		b.Fatal(err)
	}
	zone, from, buf := s.zones["front"], netip.MustParseAddr("10.1.0.7"), make([]byte, maxRoom)
	b.ReportAllocs()
	for b.Loop() {
		if out, _ := s.answer(zone, from, message, buf, false); len(out) == 0 {
			b.Fatal("no answer")
		}
	}
}

// BenchmarkUDP is a question over a socket and its answer, from several askers at once.
func BenchmarkUDP(b *testing.B) {
	s := start(b)
	populate(s)
	message, err := query("web", dns.TypeA).Pack()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		c, err := dial(b, s, "udp", "127.71.0.3", front)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		for in := make([]byte, 512); pb.Next(); {
			if _, err := c.Write(message); err != nil {
				b.Error(err)
				return
			}
			if _, err := c.Read(in); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkMemory is the heap that 5,000 containers with 20,000 names take.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := crowd(5000)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
		runtime.KeepAlive(s)
	}
}
