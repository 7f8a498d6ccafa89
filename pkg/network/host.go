package network

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Host is what the host has, so that no network takes it.
type Host struct {
	Addresses  []netip.Prefix // with the subnets that they are in
	Routes     []netip.Prefix // those that lead somewhere in particular
	Interfaces []string
}

// ReadHost asks the kernel, for the network namespace that the process is in.
func ReadHost() (Host, error) {
	var h Host
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return h, fmt.Errorf("read the host's addresses: %w", err)
	}
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			h.Addresses = append(h.Addresses, p.Masked())
		}
	}
	for path, parse := range map[string]func(line string) (netip.Prefix, bool){
		"/proc/net/route": parseRoute4, "/proc/net/ipv6_route": parseRoute6,
	} {
		routes, err := readRoutes(path, parse)
		if err != nil {
			return h, err
		}
		h.Routes = append(h.Routes, routes...)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return h, fmt.Errorf("read the host's interfaces: %w", err)
	}
	for _, i := range interfaces {
		h.Interfaces = append(h.Interfaces, i.Name)
	}
	return h, nil
}

// readRoutes reads a table of the kernel's; one that is not there, as with IPv6 switched off, is empty.
func readRoutes(path string, parse func(string) (netip.Prefix, bool)) ([]netip.Prefix, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the host's routes: %w", err)
	}
	defer f.Close()
	var routes []netip.Prefix
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if p, ok := parse(lines.Text()); ok {
			routes = append(routes, p)
		}
	}
	return routes, lines.Err()
}

// Routes that are wider than these say nothing of where a subnet is: default routes, the halves that some VPNs make of
// one, an unreachable fd00::/8.
const (
	widest4 = 8
	widest6 = 16
)

// parseRoute4 reads a line of /proc/net/route: interface, destination, gateway, flags, three counters, mask. Numbers are
// hexadecimal, and addresses are in the machine's order of bytes. The heading is no route.
func parseRoute4(line string) (netip.Prefix, bool) {
	const destination, mask = 1, 7
	fields := strings.Fields(line)
	if len(fields) <= mask {
		return netip.Prefix{}, false
	}
	to, err1 := strconv.ParseUint(fields[destination], 16, 32)
	bits, err2 := strconv.ParseUint(fields[mask], 16, 32)
	if err1 != nil || err2 != nil {
		return netip.Prefix{}, false
	}
	var a, m [4]byte
	binary.NativeEndian.PutUint32(a[:], uint32(to))
	binary.NativeEndian.PutUint32(m[:], uint32(bits))
	ones, _ := net.IPMask(m[:]).Size()
	if ones < widest4 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(netip.AddrFrom4(a), ones), true
}

// parseRoute6 reads a line of /proc/net/ipv6_route: destination, length of its prefix, the same of the source, next hop
// and more.
func parseRoute6(line string) (netip.Prefix, bool) {
	fields := strings.Fields(line)
	if len(fields) < 2 || len(fields[0]) != 32 {
		return netip.Prefix{}, false
	}
	var a [16]byte
	_, err := hex.Decode(a[:], []byte(fields[0]))
	bits, err2 := strconv.ParseUint(fields[1], 16, 8)
	to := netip.AddrFrom16(a)
	if err != nil || err2 != nil || bits < widest6 || bits > 128 || to.IsLoopback() || to.IsLinkLocalUnicast() || to.IsMulticast() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(to, int(bits)), true
}
