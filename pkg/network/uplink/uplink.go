// Package uplink gives a network namespace a way out through a process in user space: pasta(1) or slirp4netns(1), which also
// publish ports, or for bridges the stack in the package below, which needs no other program.
//
// What reaches the host from inside:
//
//	            the host's addresses                 its loopback, when it is asked for
//	slirp4netns as they are                          10.0.2.2 (the second of cidr=)
//	builtin     as they are                          10.0.2.2, fd00::2
//	pasta       not: they are the container's, too   the host's own gateway (pasta's --map-gw)
//	  bridges   of IPv4 as they are                  10.0.2.2
//
// IPv6 goes out by pasta and builtin, by slirp4netns with its option enable_ipv6.
//
// Files beside each other in the request's Dir:
//
//	pasta.pid       pid of pasta, written by it before it goes into the background
//	slirp.sock      slirp4netns' API (slirp4netns(1), "API SOCKET"), 0700 folder
//	slirp.log       what slirp4netns says
//	builtin.log     what the built-in stack's process says
package uplink

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network"
)

// startDeadline is how long an uplink may take until it is ready.
const startDeadline = 20 * time.Second

// Request asks for an uplink.
type Request struct {
	Mode  string         // slirp4netns[:OPTION,...], pasta[:OPTION,...] or builtin
	Path  string         // of the namespace
	Dir   string         // for the uplink's own files
	Ports []network.Port // not with builtin

	Bridges  bool   // what is inside are bridges, and the host's addresses are to be reached: pasta has one of its own then
	Loopback bool   // an address inside reaches the host's loopback: Running.Host
	Program  string // hull-net, which builtin is a mode of

	Command []string // starts hull-net, which builtin does when it has died; may be empty
}

// Running is an uplink at work.
type Running struct {
	PID   int
	Start uint64   // field 22 of /proc/PID/stat
	IPs   []string // inside; none where the uplink takes the host's
	DNS   []string // servers that it offers; none where the host's are to be used
	// Host is the address by which services of the host are reached from inside, those on its loopback if that was asked for;
	// none where there is no such address.
	Host   netip.Addr
	Guards bool // it starts hull-net when that has died
}

// Choose returns the wanted uplink, or with "" the faster one that is installed: slirp4netns starts in a third of pasta's
// time (docs/design/0013-uplinks.md).
func Choose(root bool, wanted string) (string, error) {
	names := []string{"slirp4netns", "pasta"}
	if wanted != "" {
		names = []string{wanted}
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil && (!root || name == "slirp4netns") {
			return name, nil
		}
	}
	return "", errs.WithHint(fmt.Errorf("no uplink for the container's network: %s is not there", strings.Join(names, " or ")),
		"apt-get install slirp4netns, or run with --network=none or host")
}

// Builtin is the mode of the stack that needs no other program.
const Builtin = "builtin"

// ForBridges returns the uplinks of bridges, in the order to try them: the wanted one if it is installed, with "" the built-in
// stack, then slirp4netns if there is one. pasta moves more, but Debian 12's, with an address of its own, leaves who is refused
// to wait, and ends some connections never (docs/design/0013-uplinks.md).
func ForBridges(wanted string) ([]string, error) {
	if wanted != "" && wanted != Builtin {
		name, err := Choose(false, wanted)
		return []string{name}, err
	}
	modes := []string{Builtin}
	if _, err := exec.LookPath("slirp4netns"); err == nil && wanted == "" {
		modes = append(modes, "slirp4netns")
	}
	return modes, nil
}

// Check checks the name and the options of a mode.
func Check(mode string) error {
	name, options, _ := strings.Cut(mode, ":")
	if _, err := exec.LookPath(name); err != nil {
		return errs.WithHint(fmt.Errorf("--network=%s: %s is not installed", mode, name), "apt-get install %s", map[string]string{"pasta": "passt"}[name]+strings.TrimPrefix(name, "pasta"))
	}
	if name == "pasta" {
		return nil // its options are its own
	}
	_, err := slirpArgs(options)
	return err
}

// CheckPorts checks that an uplink can publish the ports.
func CheckPorts(ports []network.Port) error {
	for _, p := range ports {
		if p.Protocol == "sctp" {
			return errs.NotBuilt("publishing sctp ports")
		}
	}
	return nil
}

// Start starts the uplink and returns when it is ready. The process lives on after this one.
func Start(ctx context.Context, r Request) (Running, error) {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	name, options, _ := strings.Cut(r.Mode, ":")
	switch name {
	case "pasta":
		return startPasta(ctx, r, options)
	case Builtin:
		return startBuiltin(r)
	}
	if r.Loopback {
		options += ",allow_host_loopback=true"
	}
	return startSlirp(ctx, r, options)
}

// complaint is what a program says is wrong: its last line, or the first one where how to use it follows.
func complaint(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "Usage:") }) {
		return lines[0]
	}
	return lines[len(lines)-1]
}

// host is the address that reaches the host from inside: the gateway, which leads to its loopback, or the one that it talks
// to the world from.
func host(loopback bool, gateway string) netip.Addr {
	if loopback {
		return netip.MustParseAddr(gateway)
	}
	for _, world := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // nothing is sent there: it is what the route says
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(world)))
		if err != nil {
			continue
		}
		own := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr() //nolint:forcetypeassert // it is what DialUDP makes
		_ = conn.Close()
		return own.Unmap()
	}
	return netip.Addr{}
}

// awaitReady waits for the byte by which a process that was just started says that it is ready. If it does not, the process is
// ended, and the error is the last line that it wrote into log.
func awaitReady(cmd *exec.Cmd, ready, log *os.File) error {
	_ = ready.SetReadDeadline(time.Now().Add(startDeadline))
	if n, _ := ready.Read(make([]byte, 1)); n == 1 {
		return nil
	}
	_ = cmd.Process.Kill()
	err := cmd.Wait()
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%w: %s", err, complaint(string(text)))
}

// logFile is what the process of an uplink writes to.
func logFile(dir, name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
}
