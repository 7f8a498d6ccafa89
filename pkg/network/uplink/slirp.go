package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

var slirpOptions = []string{"allow_host_loopback", "cidr", "enable_ipv6", "mtu", "outbound_addr", "outbound_addr6", "port_handler"}

// slirpArgs turns podman's option words into slirp4netns' flags.
func slirpArgs(options string) ([]string, error) {
	flags := map[string]string{"mtu": "--mtu=65520"}
	loopback := false
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "allow_host_loopback", "enable_ipv6":
			if value != "true" && value != "false" {
				return nil, errs.Invalid("slirp4netns: %s is true or false, not %q", key, value)
			}
			switch {
			case key == "allow_host_loopback":
				loopback = value == "true"
			case value == "true":
				flags[key] = "--enable-ipv6"
			}
		case "mtu":
			if _, err := strconv.ParseUint(value, 10, 16); err != nil {
				return nil, errs.Invalid("slirp4netns: mtu is a number, not %q", value)
			}
			flags[key] = "--mtu=" + value
		case "cidr":
			if p, err := netip.ParsePrefix(value); err != nil || !p.Addr().Is4() || p.Bits() > 25 || p != p.Masked() {
				return nil, errs.Invalid("slirp4netns: cidr is an IPv4 network as 10.0.2.0/24, at least a /25, not %q", value)
			}
			flags[key] = "--cidr=" + value
		case "outbound_addr", "outbound_addr6":
			flags[key] = "--" + strings.Replace(key, "_", "-", 1) + "=" + value
		case "port_handler":
			if value != "slirp4netns" {
				return nil, errs.NotBuilt("slirp4netns:port_handler=" + value)
			}
		default:
			return nil, errs.Invalid("slirp4netns: there is no option %q%s", key, errs.DidYouMean(key, slirpOptions))
		}
	}
	if !loopback {
		flags["loopback"] = "--disable-host-loopback"
	}
	args := make([]string, 0, len(flags))
	for _, f := range flags {
		args = append(args, f)
	}
	slices.Sort(args)
	return args, nil
}

// slirpAddresses are the container's address, the host's and the name server's in the network that options name: the
// hundredth, the second and the third of it (slirp4netns(1) --cidr).
func slirpAddresses(options string) (guest, gateway, dns string) {
	network := netip.MustParsePrefix("10.0.2.0/24")
	for option := range strings.SplitSeq(options, ",") {
		if value, ok := strings.CutPrefix(option, "cidr="); ok {
			if p, err := netip.ParsePrefix(value); err == nil && p.Addr().Is4() {
				network = p.Masked()
			}
		}
	}
	at := func(n byte) string {
		a := network.Addr().As4()
		a[3] += n
		return netip.AddrFrom4(a).String()
	}
	return at(100), at(2), at(3)
}

func startSlirp(ctx context.Context, r Request, options string) (up Running, err error) {
	args, err := slirpArgs(options)
	if err != nil {
		return up, err
	}
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return up, err
	}
	defer readyR.Close()
	socket := filepath.Join(r.Dir, "slirp.sock")
	if len(r.Ports) > 0 {
		args = append(args, "--api-socket", filepath.Base(socket)) // its path is 107 bytes at most, unix(7)
	}
	args = append(args, "--enable-sandbox", "--enable-seccomp", "--configure", "--ready-fd=3", "--netns-type=path", r.Path, "tap0")
	cmd := exec.Command("slirp4netns", args...) //nolint:noctx // it outlives us
	cmd.Dir = r.Dir
	cmd.ExtraFiles = []*os.File{readyW}
	log, err := logFile(r.Dir, "slirp.log")
	if err != nil {
		return up, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	// It leaves its sandbox by unmounting everything in its own mount namespace: where mounts are shared, for us too, unless
	// that namespace is private before.
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Unshareflags: unix.CLONE_NEWNS}
	err = cmd.Start()
	_ = readyW.Close()
	if err != nil {
		return up, fmt.Errorf("start slirp4netns: %w", err)
	}
	if err := awaitReady(cmd, readyR, log); err != nil {
		return up, fmt.Errorf("slirp4netns: %w", err)
	}
	guest, gateway, dns := slirpAddresses(options)
	up = Running{
		PID: cmd.Process.Pid, Start: netns.StartTime(cmd.Process.Pid), IPs: []string{guest}, DNS: []string{dns}, Host: host(r.Loopback, gateway),
	}
	for _, p := range r.Ports {
		if err := forward(ctx, p, socket, guest); err != nil {
			_ = cmd.Process.Kill()
			return up, errors.Join(err, ignoreExit(cmd.Wait()))
		}
	}
	return up, cmd.Process.Release()
}

func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// forward asks slirp4netns to publish the port at the address of the container, one request per number.
func forward(ctx context.Context, p network.Port, socket, guest string) error {
	for i := range p.Count {
		request, err := json.Marshal(map[string]any{"execute": "add_hostfwd", "arguments": map[string]any{
			"proto": p.Protocol, "host_addr": p.IPText(), "host_port": p.Host + i, "guest_addr": guest, "guest_port": p.Container + i,
		}})
		if err != nil {
			return err
		}
		if err := ask(ctx, socket, request); err != nil {
			return errs.WithHint(fmt.Errorf("publish port %d: %w", p.Host+i, err), "another process has that port, or it is below net.ipv4.ip_unprivileged_port_start")
		}
	}
	return nil
}

func ask(ctx context.Context, socket string, request []byte) error {
	dir, err := os.Open(filepath.Dir(socket)) // a socket's path is 107 bytes at most: go through the folder's descriptor
	if err != nil {
		return err
	}
	defer dir.Close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(socket)))
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	if c, ok := conn.(*net.UnixConn); ok {
		_ = c.CloseWrite()
	}
	var answer struct {
		Error *struct {
			Desc string `json:"desc"`
		} `json:"error"`
	}
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Desc)
	}
	return nil
}
