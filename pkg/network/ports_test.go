package network

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hull.dev/hull/pkg/errs"
)

func TestParsePorts(t *testing.T) {
	for text, want := range map[string]Port{
		"8080:80":                  {Host: 8080, Container: 80, Count: 1, Protocol: "tcp"},
		"8080:80/udp":              {Host: 8080, Container: 80, Count: 1, Protocol: "udp"},
		"8080:80/SCTP":             {Host: 8080, Container: 80, Count: 1, Protocol: "sctp"},
		"8080:80/UDP":              {Host: 8080, Container: 80, Count: 1, Protocol: "udp"},
		"127.0.0.1:8080:80":        {HostIP: netip.MustParseAddr("127.0.0.1"), Host: 8080, Container: 80, Count: 1, Protocol: "tcp"},
		"[::1]:8080:80":            {HostIP: netip.MustParseAddr("::1"), Host: 8080, Container: 80, Count: 1, Protocol: "tcp"},
		"1000-1002:2000-2002":      {Host: 1000, Container: 2000, Count: 3, Protocol: "tcp"},
		"1.2.3.4:1-65535:1-65535":  {HostIP: netip.MustParseAddr("1.2.3.4"), Host: 1, Container: 1, Count: 65535, Protocol: "tcp"},
		"65535:65535":              {Host: 65535, Container: 65535, Count: 1, Protocol: "tcp"},
		"0.0.0.0:8080-8080:80/tcp": {HostIP: netip.MustParseAddr("0.0.0.0"), Host: 8080, Container: 80, Count: 1, Protocol: "tcp"},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParsePorts([]string{text})
			if err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		})
	}
	t.Run("in the order that they were given", func(t *testing.T) {
		got, err := ParsePorts([]string{"2:2", "1:1"})
		if err != nil || len(got) != 2 || got[0].Host != 2 || got[1].Host != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestPortThatIsNotGivenIsFree(t *testing.T) {
	for _, text := range []string{"80", "80/udp", "80/sctp", "127.0.0.1::80", "[127.0.0.1]:80"} {
		t.Run(text, func(t *testing.T) {
			got, err := ExposePort(text)
			if err != nil || len(got) != 1 || got[0].Host == 0 || got[0].Container != 80 || got[0].Count != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			address := net.JoinHostPort(got[0].IPText(), strconv.Itoa(int(got[0].Host)))
			if got[0].Protocol == "udp" {
				l, err := net.ListenPacket("udp", address)
				if err != nil {
					t.Fatal(err)
				}
				_ = l.Close()
				return
			}
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
		})
	}
	t.Run("a range keeps its numbers", func(t *testing.T) {
		got, err := ExposePort("8000-8002")
		if err != nil || got[0] != (Port{Host: 8000, Container: 8000, Count: 3, Protocol: "tcp"}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestWrongPortIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "ports are 1 to 65535",
		"x":                "ports are 1 to 65535",
		"0":                "ports are 1 to 65535",
		"65536":            "ports are 1 to 65535",
		"80:0":             "ports are 1 to 65535",
		"0:80":             "ports are 1 to 65535",
		"-1:80":            "ports are 1 to 65535",
		"+1:80":            "ports are 1 to 65535",
		"80-79":            "ports are 1 to 65535",
		"1-2-3":            "ports are 1 to 65535",
		"80:":              "ports are 1 to 65535",
		"1-2:1-3":          "the two ranges differ in length",
		"8080-8081:80":     "the two ranges differ in length",
		"80/":              "the protocol is tcp, udp or sctp",
		"80/icmp":          "the protocol is tcp, udp or sctp",
		"80/tcp/udp":       "the protocol is tcp, udp or sctp",
		"[::1:80":          "the bracket is not closed",
		"[::1]80":          "the bracket is not closed",
		"[]:80":            "the address is none",
		"[x]:1:80":         "the address is none",
		"x:1:80":           "the address is none",
		"::80":             "the address is none",
		"1.2.3.4:5:6:7":    "ports are 1 to 65535",
		"::1:80:80":        "ports are 1 to 65535",
		"1.2.3.400:80:80":  "the address is none",
		"[fe80::1%x]:1:80": "the address is none",
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParsePorts([]string{"1:1", text})
			if err == nil || got != nil {
				t.Fatalf("%+v is taken", got)
			}
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, want)
			}
			if !strings.Contains(err.Error(), strconv.Quote(text)) || errs.Hint(err) == "" {
				t.Errorf("error %q does not name the port, or has no hint", err)
			}
		})
	}
}

// Each port of what is taken is 1 to 65535, on both sides.
func FuzzParsePort(f *testing.F) {
	for _, seed := range []string{"80", "1-2:3-4/udp", "[::1]:8080:80", "1.2.3.4::80", "[]:80", "::", "65535-65535:1", "80/TCP"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePort(text)
		if err != nil {
			return
		}
		if p.Count < 1 || p.Container < 1 || int(p.Container)+int(p.Count)-1 > 65535 || p.Host != 0 && int(p.Host)+int(p.Count)-1 > 65535 {
			t.Errorf("%q is %+v", text, p)
		}
		if !slices.Contains([]string{"tcp", "udp", "sctp"}, p.Protocol) {
			t.Errorf("%q is %+v", text, p)
		}
	})
}
