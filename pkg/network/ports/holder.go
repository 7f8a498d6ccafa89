package ports

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// native is the machine's byte order, in which the kernel gives numbers and words of addresses.
var native = binary.NativeEndian

// explain turns the kernel's no to a port of the container id into words that help.
func (f *Forwarder) explain(id string, k key, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		for other, p := range f.ports {
			if k.overlaps(other) && p.id != id { // what the container itself has was given back
				return errs.WithHint(errs.Conflict("publish port %s: container %s has it", k, p.name), "publish another port of the host, or stop %s", p.name)
			}
		}
		who := "another program"
		if pid, name := holder(k); pid != 0 {
			who = fmt.Sprintf("process %d (%s)", pid, name)
		}
		return errs.WithHint(errs.Conflict("publish port %s: %s has it", k, who), "publish another port of the host, or end that program")
	case errors.Is(err, unix.EACCES):
		return errs.WithHint(fmt.Errorf("publish port %s: an ordinary user may not take it", k),
			"publish a port of 1024 or more, or lower the limit: sudo sysctl net.ipv4.ip_unprivileged_port_start=%d", k.number)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return errs.WithHint(errs.Invalid("publish port %s: the host has no address %s", k, k.ip), "ip address shows the host's addresses")
	}
	return fmt.Errorf("publish port %s: %w", k, err)
}

// holder finds the process that has a port, if it is one that we may look into.
func holder(k key) (pid int, name string) {
	sockets := map[string]bool{}
	// Not /proc/self: that is the first thread, which may be the one that is inside.
	for _, table := range []string{k.protocol, k.protocol + "6"} {
		collect(sockets, "/proc/thread-self/net/"+table, k)
	}
	if len(sockets) == 0 {
		return 0, ""
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, ""
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || !sockets[target] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		comm, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil {
			continue
		}
		pid, _ = strconv.Atoi(filepath.Base(process))
		return pid, strings.TrimSpace(string(comm))
	}
	return 0, ""
}

// collect adds the sockets of a table of /proc/PID/net (proc(5)) that are in the way of a port, as the links to them look.
func collect(sockets map[string]bool, table string, k key) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		const listening, unconnected = "0A", "07"
		if len(fields) < 10 || fields[3] != listening && fields[3] != unconnected {
			continue
		}
		ip, number, ok := parseLocal(fields[1])
		if !ok {
			continue
		}
		other := key{protocol: k.protocol, ip: ip, number: number}
		if ip == netip.IPv6Unspecified() {
			other.ip = netip.Addr{} // of both families, as far as the table tells
		}
		if k.overlaps(other) {
			sockets["socket:["+fields[9]+"]"] = true
		}
	}
}

// parseLocal reads ADDRESS:PORT, hexadecimal, the address in words of the machine's order.
func parseLocal(text string) (ip netip.Addr, number uint16, ok bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return ip, 0, false
	}
	for i := 0; i < len(raw); i += 4 {
		native.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok = netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	return ip.Unmap(), uint16(n), ok && err == nil
}
