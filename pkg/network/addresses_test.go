package network

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/pkg/errs"
)

// subnet makes one of "PREFIX [gateway=ADDRESS] [start=ADDRESS] [end=ADDRESS]".
func subnet(t testing.TB, text string) Subnet {
	t.Helper()
	words := strings.Fields(text)
	s := Subnet{Prefix: netip.MustParsePrefix(words[0])}
	lease := LeaseRange{}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		a := netip.MustParseAddr(value)
		switch key {
		case "gateway":
			s.Gateway = a
		case "start":
			lease.Start, s.Lease = a, &lease
		case "end":
			lease.End, s.Lease = a, &lease
		}
	}
	return s
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ subnet, last, used, want string }{
		{"10.89.0.0/24 gateway=10.89.0.1", "", "", "10.89.0.2"},
		{"10.89.0.0/24 gateway=10.89.0.1", "10.89.0.2", "", "10.89.0.3"},
		{"10.89.0.0/24 gateway=10.89.0.1", "10.89.0.2", "10.89.0.3 10.89.0.4", "10.89.0.5"},
		{"10.89.0.0/24 gateway=10.89.0.1", "10.89.0.254", "", "10.89.0.2"},
		{"10.89.0.0/24 gateway=10.89.0.1", "10.89.0.255", "", "10.89.0.2"},
		{"10.89.0.0/24 gateway=10.89.0.1", "10.88.0.7", "", "10.89.0.2"},
		{"10.89.0.0/24 gateway=10.89.0.254", "10.89.0.253", "", "10.89.0.1"},
		{"10.89.0.0/24", "", "", "10.89.0.1"},
		{"10.89.0.0/24 gateway=10.89.0.1 start=10.89.0.16 end=10.89.0.18", "", "", "10.89.0.16"},
		{"10.89.0.0/24 gateway=10.89.0.17 start=10.89.0.16 end=10.89.0.18", "10.89.0.16", "", "10.89.0.18"},
		{"10.89.0.0/24 gateway=10.89.0.1 start=10.89.0.16 end=10.89.0.18", "10.89.0.18", "", "10.89.0.16"},
		{"10.89.0.0/24 gateway=10.89.0.1 start=10.89.0.16 end=10.89.0.18", "10.89.0.200", "10.89.0.16 10.89.0.17 10.89.0.18", ""},
		{"10.89.0.0/24 gateway=10.89.0.1 start=10.89.0.250", "10.89.0.254", "", "10.89.0.250"},
		{"10.89.0.0/24 gateway=10.89.0.1 end=10.89.0.3", "10.89.0.3", "", "10.89.0.2"},
		{"10.89.0.0/24 gateway=10.89.0.1 start=10.89.0.0 end=10.89.0.255", "10.89.0.254", "", "10.89.0.2"},
		{"10.89.0.0/30 gateway=10.89.0.1", "", "", "10.89.0.2"},
		{"10.89.0.0/30 gateway=10.89.0.1", "10.89.0.2", "", "10.89.0.2"},
		{"10.89.0.0/30 gateway=10.89.0.1", "", "10.89.0.2", ""},
		{"10.89.0.0/31 gateway=10.89.0.1", "", "", "10.89.0.0"},
		{"10.89.0.0/31", "10.89.0.0", "", "10.89.0.1"},
		{"10.89.0.0/31", "10.89.0.1", "10.89.0.0 10.89.0.1", ""},
		{"10.89.0.7/32 gateway=10.89.0.7", "", "", ""},
		{"10.89.0.7/32", "", "", "10.89.0.7"},
		{"255.255.255.0/24", "255.255.255.254", "", "255.255.255.1"},
		{"0.0.0.0/0", "255.255.255.254", "", "0.0.0.1"},
		{"fd00::/64 gateway=fd00::1", "", "", "fd00::2"},
		{"fd00::/64 gateway=fd00::1", "fd00::ffff", "", "fd00::1:0"},
		{"fd00::/126 gateway=fd00::1", "fd00::2", "", "fd00::3"},
		{"fd00::/126 gateway=fd00::1", "fd00::3", "", "fd00::2"},
		{"fd00::/126 gateway=fd00::1", "fd00::3", "fd00::2 fd00::3", ""},
		{"fd00::/127 gateway=fd00::1", "", "", "fd00::"},
		{"fd00::9/128", "", "", "fd00::9"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff01"},
	} {
		s := subnet(t, c.subnet)
		var last netip.Addr
		if c.last != "" {
			last = netip.MustParseAddr(c.last)
		}
		got, err := s.Next(func(a netip.Addr) bool { return slices.Contains(strings.Fields(c.used), a.String()) }, last)
		if c.want == "" {
			if !errs.IsConflict(err) || !strings.Contains(err.Error(), s.Prefix.String()) {
				t.Errorf("%s after %q without %q: %v, %v, want that the subnet is full", c.subnet, c.last, c.used, got, err)
			}
		} else if err != nil || got.String() != c.want {
			t.Errorf("%s after %q without %q: %v, %v, want %s", c.subnet, c.last, c.used, got, err, c.want)
		}
	}
}

// FuzzNext gives out all addresses of small subnets: each is right, none comes twice, and none is forgotten.
func FuzzNext(f *testing.F) {
	f.Add([]byte{10, 89, 0, 0}, uint8(28), uint8(1), uint8(3), uint8(9))
	f.Add([]byte{255, 255, 255, 255}, uint8(31), uint8(0), uint8(0), uint8(0))
	f.Add([]byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(126), uint8(1), uint8(0), uint8(200))
	f.Fuzz(func(t *testing.T, address []byte, bits, gateway, from, to uint8) {
		a, ok := netip.AddrFromSlice(address)
		p := netip.PrefixFrom(a.WithZone(""), int(bits)).Masked()
		if !ok || !p.IsValid() || a.BitLen()-p.Bits() > 8 {
			return
		}
		var all []netip.Addr
		for x := p.Addr(); x.IsValid() && p.Contains(x); x = x.Next() {
			all = append(all, x)
		}
		s := Subnet{Prefix: p}
		if int(gateway) < len(all) {
			s.Gateway = all[gateway]
		}
		if int(from) < len(all) && int(to) < len(all) && from <= to {
			s.Lease = &LeaseRange{Start: all[from], End: all[to]}
		}
		given := map[netip.Addr]bool{}
		var last netip.Addr
		for {
			next, err := s.Next(func(a netip.Addr) bool { return given[a] }, last)
			if err != nil {
				break
			}
			if given[next] || !p.Contains(next) || next == s.Gateway || s.Lease != nil && (next.Less(s.Lease.Start) || s.Lease.End.Less(next)) {
				t.Fatalf("%v gives %s after %s", s, next, last)
			}
			given[next], last = true, next
		}
		for i, x := range all {
			own := len(all) > 2 && (i == 0 || a.Is4() && i == len(all)-1)
			out := s.Lease != nil && (x.Less(s.Lease.Start) || s.Lease.End.Less(x))
			if want := !own && !out && x != s.Gateway; want != given[x] {
				t.Errorf("%v gives %s: %v, want %v", s, x, given[x], want)
			}
		}
	})
}
