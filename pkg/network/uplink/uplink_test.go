package uplink

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/pkg/network"
)

func TestSlirpArgs(t *testing.T) {
	for options, want := range map[string][]string{
		"":                                {"--disable-host-loopback", "--mtu=65520"},
		"mtu=1500":                        {"--disable-host-loopback", "--mtu=1500"},
		"allow_host_loopback=true":        {"--mtu=65520"},
		"allow_host_loopback=false":       {"--disable-host-loopback", "--mtu=65520"},
		"cidr=10.5.0.0/24":                {"--cidr=10.5.0.0/24", "--disable-host-loopback", "--mtu=65520"},
		"enable_ipv6=true":                {"--disable-host-loopback", "--enable-ipv6", "--mtu=65520"},
		"enable_ipv6=false":               {"--disable-host-loopback", "--mtu=65520"},
		"outbound_addr=eth0":              {"--disable-host-loopback", "--mtu=65520", "--outbound-addr=eth0"},
		"outbound_addr6=::1":              {"--disable-host-loopback", "--mtu=65520", "--outbound-addr6=::1"},
		"port_handler=slirp4netns,mtu=1,": {"--disable-host-loopback", "--mtu=1"},
	} {
		t.Run(options, func(t *testing.T) {
			got, err := slirpArgs(options)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
	for options, want := range map[string]string{
		"mtuu=1":                    `no option "mtuu"; did you mean "mtu"?`,
		"allow_host_loopback=maybe": `allow_host_loopback is true or false, not "maybe"`,
		"enable_ipv6":               `enable_ipv6 is true or false, not ""`,
		"mtu=many":                  `mtu is a number, not "many"`,
		"cidr=10.5.0.0":             `at least a /25, not "10.5.0.0"`,
		"cidr=10.5.0.0/26":          `at least a /25, not "10.5.0.0/26"`,
		"cidr=10.5.7.9/16":          `not "10.5.7.9/16"`,
		"cidr=fd00::/64":            `not "fd00::/64"`,
		"port_handler=rootlesskit":  "not built yet",
	} {
		t.Run("refuses "+options, func(t *testing.T) {
			_, err := slirpArgs(options)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// slirp4netns gives the container the hundredth address of its network, and has the host at the second and a name server at the third.
func TestSlirpAddresses(t *testing.T) {
	for options, want := range map[string][3]string{
		"":                          {"10.0.2.100", "10.0.2.2", "10.0.2.3"},
		"mtu=1500":                  {"10.0.2.100", "10.0.2.2", "10.0.2.3"},
		"cidr=10.5.0.0/24":          {"10.5.0.100", "10.5.0.2", "10.5.0.3"},
		"mtu=1500,cidr=10.5.0.0/16": {"10.5.0.100", "10.5.0.2", "10.5.0.3"},
		"cidr=10.5.0.128/25":        {"10.5.0.228", "10.5.0.130", "10.5.0.131"},
	} {
		t.Run(options, func(t *testing.T) {
			if guest, gateway, dns := slirpAddresses(options); [3]string{guest, gateway, dns} != want {
				t.Errorf("%s, %s and %s, want %q", guest, gateway, dns, want)
			}
		})
	}
}

func TestPortInPastasWords(t *testing.T) {
	for want, p := range map[string]network.Port{
		"8080:80":             {Host: 8080, Container: 80, Count: 1},
		"127.0.0.1/8080:80":   {HostIP: netip.MustParseAddr("127.0.0.1"), Host: 8080, Container: 80, Count: 1},
		"1-3:11-13":           {Host: 1, Container: 11, Count: 3},
		"::1/1-65535:1-65535": {HostIP: netip.MustParseAddr("::1"), Host: 1, Container: 1, Count: 65535},
	} {
		if got := pastaPort(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, mode := range []string{"pasta", "slirp4netns:mtu=1"} {
		if err := Check(mode); err == nil || !strings.Contains(err.Error(), "is not installed") {
			t.Errorf("%s: %v", mode, err)
		}
	}
	sctp := []network.Port{{Host: 1, Container: 1, Count: 1, Protocol: "sctp"}}
	if err := CheckPorts(sctp); err == nil || !strings.Contains(err.Error(), "sctp") {
		t.Errorf("sctp: %v", err)
	}
	if _, err := Choose(false, ""); err == nil {
		t.Error("an uplink is found where none is installed")
	}
	if names, err := ForBridges(""); err != nil || !slices.Equal(names, []string{Builtin}) {
		t.Errorf("bridges have %q, %v", names, err)
	}
	if _, err := ForBridges("pasta"); err == nil {
		t.Error("bridges have an uplink that is not installed")
	}
}

func TestComplaint(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "a", "a\nb\n\n": "b", "\n": "", "no option\nUsage: it\n -a\n": "no option"} {
		if got := complaint(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzSlirpArgs(f *testing.F) {
	for _, seed := range []string{"", "mtu=1", "cidr=1.2.3.4/8", "=", ",", "outbound_addr=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, options string) {
		args, err := slirpArgs(options)
		if err != nil {
			return
		}
		slirpAddresses(options)
		for _, a := range args {
			if !strings.HasPrefix(a, "--") {
				t.Errorf("%q gives the argument %q", options, a)
			}
		}
	})
}
