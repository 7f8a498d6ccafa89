package network

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
)

// house is a host with an address and a VPN.
func house() (Host, error) {
	return Host{
		Addresses:  []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Routes:     []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.89.1.0/24")},
		Interfaces: []string{"lo", "eth0", "hull2"},
	}, nil
}

func store(t testing.TB) *Store {
	t.Helper()
	return &Store{
		Dir: filepath.Join(t.TempDir(), "networks"), Host: house,
		Default: Default{"hull", netip.MustParsePrefix("10.88.0.0/16")},
		Pools:   []Pool{{netip.MustParsePrefix("10.89.0.0/16"), 24}, {netip.MustParsePrefix("10.90.0.0/15"), 24}},
	}
}

func create(t *testing.T, s *Store, n Network) Network {
	t.Helper()
	made, err := s.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func listed(t *testing.T, s *Store) string {
	t.Helper()
	all, _, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return strings.Join(names, " ")
}

func TestStore(t *testing.T) {
	s, ctx := store(t), t.Context()
	if got := listed(t, s); got != "hull" {
		t.Errorf("an empty folder lists %q", got)
	}
	if _, err := os.Stat(s.Dir); err == nil {
		t.Error("reading made the folder")
	}
	one := create(t, s, Network{DNS: true, Labels: map[string]string{"a": "b"}})
	if one.Name != "hull1" || one.Interface != "hull1" || one.Subnets[0].Prefix.String() != "10.89.0.0/24" || one.Subnets[0].Gateway.String() != "10.89.0.1" {
		t.Errorf("%+v", one)
	}
	two := create(t, s, Network{Name: "two"})
	if two.Interface != "hull2" || two.Subnets[0].Prefix.String() != "10.89.2.0/24" { // the VPN has 10.89.1.0/24
		t.Errorf("%+v", two)
	}
	if got := listed(t, s); got != "hull hull1 two" {
		t.Errorf("%q", got)
	}
	for _, ref := range []string{"two", two.ID, two.ID[:20]} {
		if n, err := s.Get(ctx, ref); err != nil || n.ID != two.ID {
			t.Errorf("%s is %+v, %v", ref, n, err)
		}
	}
	if st, err := os.Stat(s.path("two")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if st, err := os.Stat(s.Dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if _, err := s.Create(ctx, Network{Name: "two"}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second two: %v", err)
	}
	if _, err := s.Create(ctx, Network{Name: "hull"}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second default: %v", err)
	}
	busy := errors.New("busy")
	if _, err := s.Remove(ctx, "two", func(Network) error { return busy }); !errors.Is(err, busy) {
		t.Errorf("%v, want what the caller says", err)
	}
	free := func(Network) error { return nil }
	if n, err := s.Remove(ctx, two.ID[:12], free); err != nil || n.Name != "two" {
		t.Errorf("%v, %v", n.Name, err)
	}
	if _, err := s.Remove(ctx, "two", free); !errs.IsNotFound(err) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := s.Remove(ctx, "hull", free); err == nil || !strings.Contains(err.Error(), "default network hull cannot be removed") {
		t.Error(err)
	}
}

func TestUpdateKeepsWhatItDoesNotKnow(t *testing.T) {
	s, ctx := store(t), t.Context()
	create(t, s, Network{Name: "n", DNS: true, DNSServers: []netip.Addr{netip.MustParseAddr("192.0.2.7")}})
	data, err := os.ReadFile(s.path("n"))
	if err != nil {
		t.Fatal(err)
	}
	data = append([]byte(`{"of_later": {"x": [1, 2]},`), data[1:]...)
	if err := os.WriteFile(s.path("n"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := s.Update(ctx, "n", func(n *Network) error { n.DNSServers = nil; return nil })
	if err != nil || n.DNSServers != nil {
		t.Fatalf("%+v, %v", n, err)
	}
	text, err := os.ReadFile(s.path("n"))
	var keys map[string]any
	if err != nil || json.Unmarshal(text, &keys) != nil || keys["of_later"] == nil || keys["network_dns_servers"] != nil {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := s.Update(ctx, "n", func(n *Network) error { n.Driver = "x"; return nil }); err == nil {
		t.Error("an update to something wrong passes")
	}
	if again, err := s.Get(ctx, "n"); err != nil || again.Driver != DriverBridge {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestBrokenFiles(t *testing.T) {
	s, ctx := store(t), t.Context()
	create(t, s, Network{Name: "good"})
	for name, text := range map[string]string{"cut": `{"name": "cut", `, "other": `{"name": "x"}`, ".hidden": "?"} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, broken, err := s.List(ctx)
	if err != nil || len(all) != 2 || len(broken) != 2 || !strings.Contains(broken[0].Error(), s.path("cut")) {
		t.Errorf("%v, %v, %v", all, broken, err)
	}
	if _, err := s.Get(ctx, "cut"); err == nil || errs.IsNotFound(err) || !strings.Contains(err.Error(), s.path("cut")) {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := s.Create(ctx, Network{Name: "cut"}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a network in place of a broken file: %v", err)
	}
	if _, err := s.Get(ctx, "../good"); !errs.IsNotFound(err) {
		t.Errorf("a path for a name: %v", err)
	}
	if _, err := s.Get(ctx, strings.Repeat("x", 5000)); !errs.IsNotFound(err) {
		t.Errorf("a very long name: %v", err)
	}
}

func TestAmbiguousID(t *testing.T) {
	s := store(t)
	var first [16]bool
	for range 17 { // two of them begin alike
		n := create(t, s, Network{})
		digit := strings.IndexByte("0123456789abcdef", n.ID[0])
		if first[digit] {
			if _, err := s.Get(t.Context(), n.ID[:1]); err == nil || errs.IsNotFound(err) || !strings.Contains(err.Error(), "several") {
				t.Errorf("%v", err)
			}
			return
		}
		first[digit] = true
	}
}

func TestDefault(t *testing.T) {
	s, ctx := store(t), t.Context()
	for _, ref := range []string{"hull", "bridge", "podman", "default"} {
		n, err := s.Resolve(ctx, ref)
		if err != nil || n.Name != "hull" || n.Interface != "hull0" || n.DNS || n.Subnets[0].Prefix.String() != "10.88.0.0/16" {
			t.Errorf("%s: %+v, %v", ref, n, err)
		}
	}
	before, _ := s.Get(ctx, "hull")
	used, err := s.Use(ctx, "bridge")
	if err != nil || used.ID != before.ID {
		t.Fatalf("%+v, %v", used, err)
	}
	s.Default.Subnet = netip.MustParsePrefix("10.1.0.0/16")
	if n, err := s.Use(ctx, "hull"); err != nil || n.Subnets[0].Prefix.String() != "10.88.0.0/16" {
		t.Errorf("a default network that was used moved: %+v, %v", n, err)
	}
	create(t, s, Network{Name: "podman"})
	if n, err := s.Resolve(ctx, "podman"); err != nil || n.Name != "podman" {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := s.Resolve(ctx, "nosuch"); !errs.IsNotFound(err) {
		t.Error(err)
	}
}

func TestDefaultMoves(t *testing.T) {
	s, ctx := store(t), t.Context()
	s.Default.Subnet = netip.MustParsePrefix("192.0.2.128/25")
	s.Root = true
	s.Host = func() (Host, error) {
		h, _ := house()
		h.Interfaces = append(h.Interfaces, "hull0")
		return h, nil
	}
	n, err := s.Get(ctx, "hull")
	if err != nil || n.Subnets[0].Prefix.String() != "10.89.0.0/24" || n.Interface != "hull1" {
		t.Errorf("%+v, %v", n, err)
	}
	if one := create(t, s, Network{}); one.Subnets[0].Prefix.String() != "10.89.2.0/24" || one.Interface != "hull3" {
		t.Errorf("%+v", one)
	}
	s.Host = func() (Host, error) { return Host{}, nil }
	if again, err := s.Get(ctx, "hull"); err != nil || again.Subnets[0] != n.Subnets[0] {
		t.Errorf("%+v, %v: it moved back", again, err)
	}
}

func TestSweep(t *testing.T) {
	s := store(t)
	create(t, s, Network{})
	left := filepath.Join(s.Dir, ".x.json.123")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	create(t, s, Network{})
	if _, err := os.Stat(left); err == nil {
		t.Error("what a killed process left is still there")
	}
}

func TestLocked(t *testing.T) {
	s := store(t)
	l, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Create(ctx, Network{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that another holds the lock", err)
	}
	if got := listed(t, s); got != "hull" { // reading waits for nobody
		t.Errorf("%q", got)
	}
	l.Unlock()
	create(t, s, Network{})
}

func TestCreateAtOnce(t *testing.T) {
	s := store(t)
	s.Pools = []Pool{{netip.MustParsePrefix("10.64.0.0/24"), 28}}
	const n = 16
	failed := make(chan error, n)
	for range n {
		go func() {
			_, err := s.Create(context.WithoutCancel(t.Context()), Network{})
			failed <- err
		}()
	}
	for range n {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	all, _, err := s.List(t.Context())
	if err != nil || len(all) != n+1 {
		t.Fatalf("%d networks, %v", len(all), err)
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.Interface == b.Interface || a.Subnets[0].Prefix.Overlaps(b.Subnets[0].Prefix) {
				t.Errorf("%+v and %+v", a, b)
			}
		}
	}
}

// FuzzParse looks whether a definition that is read is written and read again as the same.
func FuzzParse(f *testing.F) {
	s := store(f)
	n, err := s.Create(f.Context(), Network{IPv6: true, Options: map[string]string{"mtu": "1400"}})
	if err != nil {
		f.Fatal(err)
	}
	data, err := encode(&n, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"name":"x","subnets":[{"subnet":"10.0.0.0/24","lease_range":{"end_ip":"10.0.0.9"}}],"routes":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse(data)
		if err != nil {
			return
		}
		out, err := encode(&n, data)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		again, err := Parse(out)
		if err != nil || again.ID != n.ID || len(again.Subnets) != len(n.Subnets) {
			t.Errorf("%q: %+v, %v", out, again, err)
		}
		for _, s := range n.Subnets {
			if a, err := s.Next(func(netip.Addr) bool { return false }, netip.Addr{}); err == nil && !s.Prefix.Contains(a) {
				t.Errorf("%v gives %s", s, a)
			}
		}
	})
}
