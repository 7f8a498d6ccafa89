package network

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// ParsePorts reads [[IP:][HOST]:]CONTAINER[/PROTOCOL], each a number or a range A-B (podman-run(1) --publish). A host port
// that is not given is a free one, picked now.
func ParsePorts(texts []string) ([]Port, error) {
	var ports []Port
	for _, text := range texts {
		p, err := parsePort(text)
		if err != nil {
			return nil, err
		}
		if p.Host == 0 {
			if p.Host, err = p.pick(); err != nil {
				return nil, err
			}
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// ExposePort turns PORT[-PORT][/PROTOCOL] of an image or --expose into published ports on free ports of the host.
func ExposePort(text string) ([]Port, error) {
	return ParsePorts([]string{text})
}

func parsePort(text string) (p Port, err error) {
	bad := func(why string) error {
		return errs.WithHint(errs.Invalid("port %q: %s", text, why), "write it [IP:][HOST_PORT:]CONTAINER_PORT[/tcp|udp|sctp]")
	}
	rest, protocol, ok := strings.Cut(text, "/")
	if !ok {
		protocol = "tcp"
	}
	p.Protocol = strings.ToLower(protocol)
	switch p.Protocol {
	case "tcp", "udp", "sctp":
	default:
		return p, bad("the protocol is tcp, udp or sctp")
	}
	address, addressed := "", true
	if strings.HasPrefix(rest, "[") {
		ip, after, ok := strings.Cut(rest[1:], "]:")
		if !ok {
			return p, bad("the bracket is not closed by ]:")
		}
		address, rest = ip, after
	} else if strings.Count(rest, ":") == 2 {
		address, rest, _ = strings.Cut(rest, ":")
	} else {
		addressed = false
	}
	if addressed {
		if p.HostIP, err = netip.ParseAddr(address); err != nil || p.HostIP.Zone() != "" {
			return p, bad("the address is none")
		}
	}
	host, inside, both := strings.Cut(rest, ":")
	if !both {
		host, inside = "", rest
	}
	var hostCount uint16
	if p.Container, p.Count, ok = portRange(inside); !ok {
		return p, bad("ports are 1 to 65535")
	}
	if host == "" {
		return p, nil
	}
	if p.Host, hostCount, ok = portRange(host); !ok {
		return p, bad("ports are 1 to 65535")
	}
	if hostCount != p.Count {
		return p, bad("the two ranges differ in length")
	}
	return p, nil
}

func portRange(text string) (first, count uint16, ok bool) {
	a, b, two := strings.Cut(text, "-")
	if !two {
		b = a
	}
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || to < from {
		return 0, 0, false
	}
	return uint16(from), uint16(to - from + 1), true
}

// pick finds a free port by having the kernel give one out; for sctp one of tcp, where nobody else is likely to look.
func (p Port) pick() (uint16, error) {
	if p.Count > 1 {
		return p.Container, nil // a range keeps its numbers
	}
	address := net.JoinHostPort(p.IPText(), "0")
	if p.Protocol == "udp" {
		l, err := net.ListenPacket("udp", address) //nolint:noctx // an address in digits: nothing is looked up or waited for
		if err != nil {
			return 0, err
		}
		port := uint16(l.LocalAddr().(*net.UDPAddr).Port) //nolint:forcetypeassert // it is what ListenPacket makes
		return port, l.Close()
	}
	l, err := net.Listen("tcp", address) //nolint:noctx // as above
	if err != nil {
		return 0, err
	}
	port := uint16(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is what Listen makes
	return port, l.Close()
}

// IPText is the address of the host in text, "" for all.
func (p Port) IPText() string {
	if !p.HostIP.IsValid() {
		return ""
	}
	return p.HostIP.String()
}
