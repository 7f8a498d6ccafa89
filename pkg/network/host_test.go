package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// prefixes reads them in one go.
func prefixes(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func TestRoutes(t *testing.T) {
	// A home network, docker's bridge, and a VPN that takes 10.0.0.0/8 and everything else in two halves.
	const four = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0100A8C0	0003	0	0	600	00000000	0	0	0
tun0	00000000	010AA8C0	0003	0	0	0	00000080	0	0	0
tun0	00000080	010AA8C0	0003	0	0	0	00000080	0	0	0
tun0	0000000A	010AA8C0	0003	0	0	0	000000FF	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
wlan0	0000A8C0	00000000	0001	0	0	600	00FFFFFF	0	0	0
wlan0	4508FB08	0100A8C0	0007	0	0	0	FFFFFFFF	0	0	0

wlan0	xyz	0100A8C0	0007	0	0	0	FFFFFFFF	0	0	0
`
	const six = `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
20000000000000000000000000000000 03 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     tun0
fd000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000003 00000000 00200200     lo
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000004 00000000 80200001       lo
20010db8000000000000000000000000 20 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 00000001     eth0
`
	for name, c := range map[string]struct {
		text  string
		parse func(string) (netip.Prefix, bool)
		want  []netip.Prefix
	}{
		"4": {four, parseRoute4, prefixes(t, "10.0.0.0/8", "172.17.0.0/16", "192.168.0.0/24", "8.251.8.69/32")},
		"6": {six, parseRoute6, prefixes(t, "fd00::/64", "2001:db8::/32")},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readRoutes(path, c.parse); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
	if got, err := readRoutes(filepath.Join(t.TempDir(), "none"), parseRoute6); got != nil || err != nil {
		t.Errorf("no such table: %v, %v", got, err)
	}
}

func TestReadHost(t *testing.T) {
	h, err := ReadHost()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(h.Interfaces, "lo") {
		t.Errorf("interfaces %v, want lo among them", h.Interfaces)
	}
	for _, p := range append(h.Addresses, h.Routes...) {
		if p.Bits() == 0 || p.Addr().IsLoopback() || p.Masked() != p {
			t.Errorf("%s is in the way", p)
		}
	}
}

// FuzzRoutes looks whether any line is too much.
func FuzzRoutes(f *testing.F) {
	f.Add("wlan0	0000A8C0	00000000	0001	0	0	600	00FFFFFF	0	0	0")
	f.Add("fd000000000000000000000000000000 40 00000000000000000000000000000000 00")
	f.Fuzz(func(t *testing.T, line string) {
		for _, parse := range []func(string) (netip.Prefix, bool){parseRoute4, parseRoute6} {
			if p, ok := parse(line); ok && !p.IsValid() {
				t.Errorf("%q is read as %v", line, p)
			}
		}
	})
}
