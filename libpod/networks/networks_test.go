package networks

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/events"
	"hull.dev/hull/pkg/network"
)

// fake stands for the containers, and for what has networks in use.
type fake struct {
	users   []define.NetworkUser
	removed []string
	changed []string
	fails   error
}

func (f *fake) NetworkUsers(context.Context) ([]define.NetworkUser, error) { return f.users, f.fails }

func (f *fake) Remove(_ context.Context, ref string, o define.RemoveOptions) error {
	if !o.Force || o.Timeout == nil || *o.Timeout != 3 {
		return errors.New("neither forced nor in time")
	}
	f.removed = append(f.removed, ref)
	f.users = slices.DeleteFunc(f.users, func(u define.NetworkUser) bool { return u.ID == ref })
	return nil
}

func (f *fake) NetworkChanged(_ context.Context, n network.Network) error {
	f.changed = append(f.changed, n.Name)
	return f.fails
}

type box struct {
	*Service
	*fake
	warned []string
	log    string
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{fake: &fake{}, log: filepath.Join(t.TempDir(), "events.log")}
	b.Service = &Service{
		Containers: b.fake, Running: b.fake, Events: &events.Log{Path: b.log}, Warn: func(text string) { b.warned = append(b.warned, text) },
		Store: &network.Store{
			Dir: t.TempDir(), Default: network.Default{Name: "hull", Subnet: netip.MustParsePrefix("10.88.0.0/16")},
			Pools: []network.Pool{{Base: netip.MustParsePrefix("10.89.0.0/16"), Bits: 24}},
			Host:  func() (network.Host, error) { return network.Host{}, nil },
		},
	}
	return b
}

func (b *box) make(t *testing.T, o define.NetworkCreateOptions) define.Network {
	t.Helper()
	n, err := b.Create(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCreate(t *testing.T) {
	b := newBox(t)
	n := b.make(t, define.NetworkCreateOptions{
		Name:    "n",
		Subnets: []string{"fd00:1::/64", "10.7.0.9/24"}, Gateways: []string{"10.7.0.254"}, Ranges: []string{"10.7.0.128/25", "fd00:1::10-fd00:1::20"},
		Routes: []string{"10.1.0.0/16,10.7.0.9,100", "10.2.0.0/16,10.7.0.9"}, DNS: []string{"192.0.2.1"}, Internal: true,
	})
	want := []define.NetworkSubnet{
		{Subnet: "fd00:1::/64", Gateway: "fd00:1::1", LeaseRange: &define.NetworkLeaseRange{StartIP: "fd00:1::10", EndIP: "fd00:1::20"}},
		{Subnet: "10.7.0.0/24", Gateway: "10.7.0.254", LeaseRange: &define.NetworkLeaseRange{StartIP: "10.7.0.129", EndIP: "10.7.0.255"}},
	}
	for i, s := range n.Subnets {
		if s.Subnet != want[i].Subnet || s.Gateway != want[i].Gateway || *s.LeaseRange != *want[i].LeaseRange {
			t.Errorf("%+v %+v, want %+v", s, s.LeaseRange, want[i])
		}
	}
	if !slices.Equal(n.Routes, []define.NetworkRoute{{Destination: "10.1.0.0/16", Gateway: "10.7.0.9", Metric: 100}, {Destination: "10.2.0.0/16", Gateway: "10.7.0.9"}}) {
		t.Errorf("%+v", n.Routes)
	}
	if !n.IPv6Enabled || !n.DNSEnabled || !n.Internal || !slices.Equal(n.NetworkDNSServers, []string{"192.0.2.1"}) || n.IPAMOptions["driver"] != "host-local" {
		t.Errorf("%+v", n)
	}
	if _, err := b.Create(t.Context(), define.NetworkCreateOptions{Name: "n"}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second n: %v", err)
	}
	if again := b.make(t, define.NetworkCreateOptions{Name: "n", Ignore: true}); again.ID != n.ID {
		t.Errorf("%+v, want the one that was there", again)
	}
	if log, err := os.ReadFile(b.log); err != nil || strings.Count(string(log), "\n") != 1 || !strings.Contains(string(log), `"status":"create","id":"`+n.ID) {
		t.Errorf("%s, %v", log, err)
	}
}

func TestCreateMistakes(t *testing.T) {
	b := newBox(t)
	type o = define.NetworkCreateOptions
	for _, c := range []struct {
		o    o
		want string
	}{
		{o{Gateways: []string{"10.7.0.1"}}, "cannot set gateway or range without subnet"},
		{o{Ranges: []string{"10.7.0.0/28"}}, "cannot set gateway or range without subnet"},
		{o{Subnets: []string{"10.7.0.0"}}, "invalid CIDR address: 10.7.0.0"},
		{o{Subnets: []string{"10.7.0.0/24"}, Gateways: []string{"10.7.0.1", "10.7.0.2"}}, "more gateways than subnets"},
		{o{Subnets: []string{"10.7.0.0/24"}, Gateways: []string{"10.8.0.1"}}, "gateway 10.8.0.1 not in subnet 10.7.0.0/24"},
		{o{Subnets: []string{"10.7.0.0/24"}, Gateways: []string{"x"}}, `--gateway "x": it is not an IP address`},
		{o{Subnets: []string{"10.7.0.0/24", "10.8.0.0/24"}, Gateways: []string{"10.7.0.1", "10.7.0.2"}}, "has the gateway 10.7.0.1 already"},
		{o{Subnets: []string{"10.7.0.0/24", "10.8.0.0/24"}, Gateways: []string{"10.9.0.1"}}, "not in subnet 10.7.0.0/24 or 10.8.0.0/24"},
		{o{Subnets: []string{"10.7.0.0/24"}, Ranges: []string{"10.7.0.0/25", "10.7.0.128/25"}}, "more ranges than subnets"},
		{o{Subnets: []string{"10.7.0.0/24"}, Ranges: []string{"10.8.0.0/25"}}, "lease range start ip 10.8.0.1 not in subnet 10.7.0.0/24"},
		{o{Subnets: []string{"10.7.0.0/24"}, Ranges: []string{"10.7.0.9-10.7.1.9"}}, "lease range end ip 10.7.1.9 not in subnet"},
		{o{Subnets: []string{"10.7.0.0/24"}, Ranges: []string{"10.7.0.9-fd00::1"}}, "is not a range"},
		{o{Subnets: []string{"10.7.0.0/24"}, Ranges: []string{"10.7.0.9"}}, "is not a range"},
		{o{Subnets: []string{"10.7.0.0/24", "10.8.0.0/24"}, Ranges: []string{"10.7.0.0/25", "10.7.0.128/25"}}, "has a range already"},
		{o{Routes: []string{"10.1.0.0/16"}}, "invalid route: 10.1.0.0/16"},
		{o{Routes: []string{"10.1.0.0,10.7.0.1"}}, "invalid route"},
		{o{Routes: []string{"10.1.0.0/16,10.7.0.1,-1"}}, "invalid route"},
		{o{Routes: []string{"10.1.0.0/16,10.7.0.1,1,2"}}, "invalid route"},
		{o{DNS: []string{"dns.example"}}, `--dns "dns.example": it is not an IP address`},
		{o{DNS: []string{"fe80::1%eth0"}}, "not an IP address"},
	} {
		if _, err := b.Create(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

func TestUsers(t *testing.T) {
	b, ctx := newBox(t), t.Context()
	one, two := b.make(t, define.NetworkCreateOptions{Name: "one"}), b.make(t, define.NetworkCreateOptions{Name: "two"})
	b.users = []define.NetworkUser{
		{Network: "one", ID: "a", Name: "runs", Running: true, Interfaces: map[string]define.NetworkInterface{"eth0": {MacAddress: "x"}}},
		{Network: one.ID, ID: "b", Name: "stopped"},
	}
	found, err := b.Inspect(ctx, "one")
	if err != nil || len(found.Containers) != 1 || found.Containers["a"].Name != "runs" || found.Containers["a"].Interfaces["eth0"].MacAddress != "x" {
		t.Errorf("%+v, %v", found, err)
	}
	err = b.Service.Remove(ctx, one.ID[:12], define.NetworkRemoveOptions{})
	if !errs.IsConflict(err) || !strings.Contains(err.Error(), `"one" has associated containers with it`) || !strings.Contains(errs.Hint(err), "runs") {
		t.Errorf("%v", err)
	}
	gone, failed := b.Prune(ctx, nil)
	if !slices.Equal(gone, []string{"two"}) || failed != nil {
		t.Errorf("%v, %v", gone, failed)
	}
	if err := b.Service.Remove(ctx, two.ID, define.NetworkRemoveOptions{}); !errs.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	three := uint(3)
	force := define.NetworkRemoveOptions{Force: true, Timeout: &three}
	if err := b.Service.Remove(ctx, "one", force); err != nil || !slices.Equal(b.removed, []string{"a", "b"}) {
		t.Errorf("%v, removed %v", err, b.removed)
	}
	if err := b.Service.Remove(ctx, "one", force); !errs.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	b.users = []define.NetworkUser{{Network: "hull", ID: "c"}}
	if err := b.Service.Remove(ctx, "hull", force); err == nil || len(b.removed) != 2 {
		t.Errorf("%v, removed %v: the default network stays, and its containers too", err, b.removed)
	}
	if log, err := os.ReadFile(b.log); err != nil || strings.Count(string(log), `"remove"`) != 2 {
		t.Errorf("%s, %v", log, err)
	}
	b.fails = errors.New("no state")
	for _, err := range []error{
		b.Service.Remove(ctx, "one", force), func() error { _, err := b.Inspect(ctx, "hull"); return err }(),
		func() error { _, failed := b.Prune(ctx, nil); return errors.Join(failed...) }(),
	} {
		if err == nil {
			t.Error("containers that cannot be asked about let it pass")
		}
	}
}

func TestFilters(t *testing.T) {
	b, ctx := newBox(t), t.Context()
	web := b.make(t, define.NetworkCreateOptions{Name: "web", Labels: map[string]string{"team": "a", "tier": "front"}})
	b.make(t, define.NetworkCreateOptions{Name: "db", Labels: map[string]string{"team": "b"}})
	b.users = []define.NetworkUser{{Network: "web", ID: "c"}}
	later := time.Now().Add(time.Hour).Format(time.RFC3339)
	for text, want := range map[string]string{
		"": "db hull web", "name=web": "web", "name=w name=^d": "db web", "id=" + web.ID[:5]: "web", "driver=bridge": "db hull web", "driver=macvlan": "",
		"label=team": "db web", "label=team=a": "web", "label=team=a label=tier": "web", "label=team=a label=team=b": "", "label=t*": "db web", "label!=team=a": "db hull",
		"label!=team": "hull", "dangling=true": "db", "dangling=0": "hull web", "until=1h": "", "until=" + later: "db hull web", "name=web driver=macvlan": "",
	} {
		all, err := b.List(ctx, strings.Fields(text))
		var names []string
		for _, n := range all {
			names = append(names, n.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"nam=x": `invalid filter "nam"; did you mean "name"?`, "name": "in the form of filter=value", "dangling=x": `invalid dangling filter value "x"`, "until=x": "until=x", "name=(": "name=(",
	} {
		if _, err := b.List(ctx, []string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, failed := b.Prune(ctx, []string{"name=web"}); len(failed) != 1 {
		t.Errorf("prune by name: %v", failed)
	}
	if gone, failed := b.Prune(ctx, []string{"label=team=a"}); len(gone)+len(failed) > 0 {
		t.Errorf("%v, %v: it is in use", gone, failed)
	}
	if err := os.WriteFile(filepath.Join(b.Store.Dir, "bad.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := b.List(ctx, nil); err != nil || len(all) != 3 || len(b.warned) != 1 || !strings.Contains(b.warned[0], "bad.json") {
		t.Errorf("%v, %v, warned %v", all, err, b.warned)
	}
	if there, err := b.Exists(ctx, "bad"); there || err == nil {
		t.Errorf("a broken one: %v, %v", there, err)
	}
	if there, err := b.Exists(ctx, "nosuch"); there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if there, err := b.Exists(ctx, "web"); !there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
}

func TestUpdate(t *testing.T) {
	b, ctx := newBox(t), t.Context()
	b.make(t, define.NetworkCreateOptions{Name: "n", DNS: []string{"192.0.2.1", "192.0.2.2"}})
	o := define.NetworkUpdateOptions{AddDNS: []string{"192.0.2.3", "192.0.2.2"}, DropDNS: []string{"192.0.2.1", "192.0.2.9"}}
	for range 2 { // the second time changes nothing
		if err := b.Update(ctx, "n", o); err != nil {
			t.Fatal(err)
		}
		n, err := b.Inspect(ctx, "n")
		if err != nil || !slices.Equal(n.NetworkDNSServers, []string{"192.0.2.2", "192.0.2.3"}) {
			t.Errorf("%+v, %v", n, err)
		}
	}
	if len(b.changed) == 0 {
		t.Error("those who have it in use do not know")
	}
	for _, c := range []struct {
		ref  string
		o    define.NetworkUpdateOptions
		want string
	}{
		{"nosuch", o, "network not found"},
		{"hull", o, "no name server of its own"},
		{"n", define.NetworkUpdateOptions{AddDNS: []string{"x"}}, `--dns-add "x"`},
		{"n", define.NetworkUpdateOptions{DropDNS: []string{"x"}}, `--dns-drop "x"`},
	} {
		if err := b.Update(ctx, c.ref, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, want %q", c.ref, c.o, err, c.want)
		}
	}
	b.fails = errors.New("gone")
	if err := b.Update(ctx, "n", o); !errors.Is(err, b.fails) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// FuzzCreate looks whether what passes as flags is refused in one line or gives a network that can be read.
func FuzzCreate(f *testing.F) {
	f.Add("10.7.0.0/24", "10.7.0.1", "10.7.0.128/25", "10.1.0.0/16,10.7.0.9,100", "mtu", "1400")
	f.Add("fd00::/64", "", "fd00::1-fd00::9", "", "com.docker.network.driver.mtu", "x")
	f.Fuzz(func(t *testing.T, subnet, gateway, lease, route, key, value string) {
		b := newBox(t)
		o := define.NetworkCreateOptions{Name: "n", Options: map[string]string{key: value}}
		for text, list := range map[string]*[]string{subnet: &o.Subnets, gateway: &o.Gateways, lease: &o.Ranges, route: &o.Routes} {
			if text != "" {
				*list = []string{text}
			}
		}
		_, err := b.Create(t.Context(), o)
		if err != nil {
			if _, err := os.Stat(filepath.Join(b.Store.Dir, "n.json")); err == nil {
				t.Error("it is refused, and there")
			}
			return
		}
		if _, err := b.Inspect(t.Context(), "n"); err != nil {
			t.Error(err)
		}
	})
}
