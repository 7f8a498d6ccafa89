package network

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
)

func options(pairs ...string) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		m[key] = value
	}
	return m
}

func subnets(t testing.TB, texts ...string) []Subnet {
	t.Helper()
	var list []Subnet
	for _, text := range texts {
		list = append(list, subnet(t, text))
	}
	return list
}

func TestCreateRefuses(t *testing.T) {
	s := store(t)
	create(t, s, Network{Name: "one", Interface: "br7", Subnets: subnets(t, "10.5.0.0/24")})
	ipam := func(driver string) map[string]string { return map[string]string{IPAMDriver: driver} }
	servers := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	for _, c := range []struct {
		n    Network
		want string
	}{
		{Network{Name: "b@d"}, "names must match"},
		{Network{Name: "-x"}, "names must match"},
		{Network{Name: strings.Repeat("x", 201)}, "201 letters"},
		{Network{Name: "host"}, "conflicts with a valid network mode"},
		{Network{Driver: "brigde"}, `unsupported driver brigde; did you mean "bridge"?`},
		{Network{Interface: "br7"}, "bridge name br7 already in use"},
		{Network{Interface: "much-too-long-a-name"}, "at most 15"},
		{Network{Interface: "a/b"}, "slash"},
		{Network{Interface: "lo"}, "cannot be called lo"},
		{Network{Subnets: subnets(t, "10.5.0.1/24")}, "bits behind"},
		{Network{Subnets: subnets(t, "0.0.0.0/0")}, "not one that containers can have"},
		{Network{Subnets: subnets(t, "127.0.1.0/24")}, "not one that containers can have"},
		{Network{Subnets: subnets(t, "10.5.0.0/16")}, "subnet 10.5.0.0/16 is already used on the host or by another config"},
		{Network{Subnets: subnets(t, "192.0.2.0/28")}, "already used"},
		{Network{Subnets: subnets(t, "10.6.0.0/16", "10.6.1.0/24")}, "overlap"},
		{Network{Subnets: subnets(t, "10.6.0.0/24 gateway=10.7.0.1")}, "gateway 10.7.0.1 not in subnet 10.6.0.0/24"},
		{Network{Subnets: subnets(t, "10.6.0.0/24 gateway=10.6.0.255")}, "of all in it"},
		{Network{Subnets: subnets(t, "10.6.0.0/24 start=10.7.0.1")}, "lease range start ip 10.7.0.1 not in subnet 10.6.0.0/24"},
		{Network{Subnets: subnets(t, "10.6.0.0/24 end=10.7.0.1")}, "lease range end ip"},
		{Network{Subnets: subnets(t, "10.6.0.0/24 start=10.6.0.9 end=10.6.0.8")}, "before it starts"},
		{Network{Subnets: subnets(t, "10.6.0.0/24"), IPAM: ipam(IPAMNone)}, "none ipam driver is set but subnets are given"},
		{Network{IPAM: ipam("host-lokal")}, `unsupported ipam driver "host-lokal"; did you mean "host-local"?`},
		{Network{IPAM: ipam(IPAMDHCP)}, "dhcp is for macvlan"},
		{Network{DNSServers: servers}, "no name server of its own"},
		{Network{DNS: true, IPAM: ipam(IPAMNone), DNSServers: servers}, "no name server of its own"},
		{Network{DNS: true, DNSServers: []netip.Addr{netip.IPv4Unspecified()}}, "no address of a name server"},
		{Network{Routes: []Route{{Destination: netip.MustParsePrefix("10.9.0.1/24"), Gateway: servers[0]}}}, "bits behind"},
		{Network{Routes: []Route{{Destination: netip.MustParsePrefix("fd00::/64"), Gateway: servers[0]}}}, "one is IPv4"},
		{Network{Routes: []Route{{Destination: netip.MustParsePrefix("10.9.0.0/24")}}}, "no gateway"},
		{Network{Options: options("mtuu=1")}, `unsupported bridge network option mtuu; did you mean "mtu"?`},
		{Network{Options: options("mtu=x")}, "--opt mtu=x: it is a number between"},
		{Network{Options: options("mtu=-4")}, "number"},
		{Network{Options: options("vlan=4095")}, "between 0 and 4094"},
		{Network{Options: options("metric=x")}, "number"},
		{Network{Options: options("isolate=strikt")}, `did you mean "strict"?`},
		{Network{Options: options("no_default_route=maybe")}, "true or false"},
		{Network{Options: options("mode=manged")}, `did you mean "managed"?`},
		{Network{Options: options("parent=eth0")}, "unsupported bridge network option parent"},
		{Network{Options: options("host_interface_name=a b")}, "space"},
		{Network{Options: options("mode=unmanaged")}, "has to be named"},
		{Network{Interface: "br0", Options: options("mode=unmanaged")}, "needs root"},
		{Network{Options: options("vrf=red")}, "--opt vrf=red needs root"},
		{Network{Options: options("com.docker.network.bridge.enable_icc=no")}, "it is true or false"},
		{Network{Options: options("com.docker.network.bridge.nam=x")}, `not built yet`},
		{Network{Options: options("com.docker.network.container_iface_prefix=net")}, "not built yet"},
		{Network{Interface: "a", Options: options("com.docker.network.bridge.name=b")}, "the interface is a already"},
		{Network{Options: options("com.docker.network.driver.mtu=1400", "mtu=1500")}, "mtu is 1500 already"},
		{Network{Driver: DriverMacvlan}, "driver macvlan needs root"},
		{Network{Driver: DriverIpvlan, Subnets: subnets(t, "10.6.0.0/24")}, "driver ipvlan needs root"},
		{Network{Driver: DriverIpvlan}, "at least one subnet"},
	} {
		before := maps.Clone(c.n.Options)
		_, err := s.Create(t.Context(), c.n)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, want %q", c.n, err, c.want)
		}
		if !maps.Equal(before, c.n.Options) {
			t.Errorf("%v: the caller's options are %v", before, c.n.Options)
		}
	}
	if got := listed(t, s); got != "hull one" {
		t.Errorf("what was refused is there: %s", got)
	}
}

func TestCreateCompletes(t *testing.T) {
	s := store(t)
	n := create(t, s, Network{Name: "six", IPv6: true, DNS: true})
	if len(n.Subnets) != 2 || !n.Subnets[1].Prefix.Addr().IsPrivate() || n.Subnets[1].Prefix.Bits() != 64 || n.Subnets[1].Gateway != n.Subnets[1].Prefix.Addr().Next() {
		t.Errorf("%+v", n)
	}
	n = create(t, s, Network{Name: "two", Subnets: subnets(t, "fd00:1::/64", "10.7.0.0/24 gateway=10.7.0.9 start=10.7.0.100")})
	if !n.IPv6 || n.Subnets[1].Gateway.String() != "10.7.0.9" || n.Subnets[0].Gateway.String() != "fd00:1::1" {
		t.Errorf("%+v", n)
	}
	if n = create(t, s, Network{Name: "inside", Internal: true}); n.Subnets[0].Gateway.IsValid() {
		t.Errorf("%+v has a gateway that nobody needs", n)
	}
	if n = create(t, s, Network{Name: "inside-dns", Internal: true, DNS: true}); !n.Subnets[0].Gateway.IsValid() {
		t.Errorf("%+v has nobody who answers for names", n)
	}
	if n = create(t, s, Network{Name: "bare", DNS: true, IPAM: map[string]string{IPAMDriver: IPAMNone}}); len(n.Subnets) > 0 || n.DNS {
		t.Errorf("%+v", n)
	}
	n = create(t, s, Network{Name: "docker", Options: options(
		"com.docker.network.bridge.name=br-x", "com.docker.network.driver.mtu=1400", "com.docker.network.bridge.enable_icc=1",
	)})
	if n.Interface != "br-x" || !maps.Equal(n.Options, options("mtu=1400")) {
		t.Errorf("%+v", n)
	}
	if n = create(t, s, Network{Options: options("com.docker.network.bridge.enable_icc=false")}); !n.Separate() || len(n.Options) != 1 {
		t.Errorf("%+v", n)
	}
	if n = create(t, s, Network{Interface: "br-y"}); n.Name != "br-y" {
		t.Errorf("%+v", n)
	}
	// A user who names a subnet that the host has a route to knows better.
	create(t, s, Network{Subnets: subnets(t, "10.89.1.0/24")})
}

func TestCreateAsRoot(t *testing.T) {
	s := store(t)
	s.Root = true
	if n := create(t, s, Network{}); n.Interface != "hull1" {
		t.Errorf("%+v", n)
	}
	if n := create(t, s, Network{}); n.Interface != "hull3" { // hull2 is the host's
		t.Errorf("%+v", n)
	}
	n := create(t, s, Network{Name: "m", Driver: DriverMacvlan, DNS: true, Options: options("parent=eth0", "macvlan_mode=private")})
	if n.Interface != "eth0" || n.Mode() != "private" || n.IPAM[IPAMDriver] != IPAMDHCP || n.DNS || len(n.Options) != 1 {
		t.Errorf("%+v", n)
	}
	n = create(t, s, Network{Name: "l3", Driver: DriverIpvlan, Subnets: subnets(t, "192.0.2.0/24"), Options: options("mode=l3")})
	if n.Subnets[0].Gateway.IsValid() || n.Interface != "" {
		t.Errorf("%+v", n)
	}
	n = create(t, s, Network{Name: "l2", Driver: DriverIpvlan, Subnets: subnets(t, "192.0.2.0/24")})
	if !n.Subnets[0].Gateway.IsValid() || n.Mode() != "l2" {
		t.Errorf("%+v", n)
	}
	create(t, s, Network{Name: "u", Interface: "eth0", Options: options("mode=unmanaged"), IPAM: map[string]string{IPAMDriver: IPAMDHCP}})
	for _, c := range []struct {
		n    Network
		want string
	}{
		{Network{Driver: DriverMacvlan, Interface: "eht0"}, `parent interface eht0 does not exist; did you mean "eth0"?`},
		{Network{Driver: DriverMacvlan, Options: options("mode=l2")}, "a macvlan has bridge, private, vepa, passthru"},
		{Network{Driver: DriverMacvlan, Options: options("isolate=true")}, "unsupported macvlan network option isolate"},
		{Network{Driver: DriverIpvlan, Options: options("bclim=5")}, "unsupported ipvlan network option bclim"},
		{Network{Driver: DriverIpvlan, IPAM: map[string]string{IPAMDriver: IPAMDHCP}}, "dhcp is for macvlan"},
	} {
		if _, err := s.Create(t.Context(), c.n); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.n, err, c.want)
		}
	}
}

func TestFreeSubnet(t *testing.T) {
	for _, c := range []struct{ pool, used, want string }{
		{"10.89.0.0/16 24", "", "10.89.0.0/24"},
		{"10.89.0.0/16 24", "10.89.0.128/25", "10.89.1.0/24"},
		{"10.89.0.0/16 24", "10.89.0.0/24 10.89.1.7/32", "10.89.2.0/24"},
		{"10.89.0.0/16 24", "10.89.0.0/17", "10.89.128.0/24"},
		{"10.89.0.0/16 24", "10.0.0.0/8", ""},
		{"10.89.0.0/30 30", "", "10.89.0.0/30"},
		{"10.89.0.0/30 32", "10.89.0.0/32", "10.89.0.1/32"},
		{"255.255.255.0/24 25", "255.255.255.0/24", ""},
		{"10.0.0.0/8 30", "10.0.0.0/9 10.128.0.0/10", "10.192.0.0/30"},
	} {
		base, bits, _ := strings.Cut(c.pool, " ")
		pool := Pool{Base: netip.MustParsePrefix(base)}
		for _, digit := range bits {
			pool.Bits = pool.Bits*10 + int(digit-'0')
		}
		got, ok := pool.free(prefixes(t, strings.Fields(c.used)...))
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s without %q: %v, want %q", c.pool, c.used, got, c.want)
		}
	}
	full := &world{pools: []Pool{{netip.MustParsePrefix("10.89.0.0/16"), 24}}, host: Host{Routes: prefixes(t, "10.0.0.0/8")}}
	if p, err := full.free4(); err != nil || p.String() != "172.16.0.0/24" {
		t.Errorf("with a VPN that has all pools: %v, %v", p, err)
	}
	full.host.Routes = prefixes(t, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
	if _, err := full.free4(); err == nil {
		t.Error("nothing is free and something found")
	}
}

// FuzzCreate looks whether what passes as options and subnets can be read again.
func FuzzCreate(f *testing.F) {
	f.Add("mtu", "1400", "10.6.0.0/24", "10.6.0.1", "x")
	f.Add("com.docker.network.bridge.name", "br0", "fd00::/64", "", "")
	f.Fuzz(func(t *testing.T, key, value, prefix, gateway, name string) {
		n := Network{Name: name, Options: map[string]string{key: value}}
		if p, err := netip.ParsePrefix(prefix); err == nil {
			a, _ := netip.ParseAddr(gateway)
			n.Subnets = []Subnet{{Prefix: p, Gateway: a}}
		}
		w := &world{root: true}
		if w.complete(&n) != nil {
			return
		}
		data, err := encode(&n, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	})
}
