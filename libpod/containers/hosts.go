package containers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/safepath"
)

// hostName leads from a container to the host (containers.conf(5), host_containers_internal_ip); dockerHostName is what
// Docker calls it.
const (
	hostName       = "host.containers.internal"
	dockerHostName = "host.docker.internal"
)

// writeHosts writes /etc/hosts: --add-host first, so that it wins, then the base file, the host's name, ours.
func (s *Service) writeHosts(c *locked, root string, put putter) error {
	o := &c.Config.Options
	base, err := s.baseHosts(o.HostsFile, root)
	if err != nil {
		return err
	}
	gateway := s.hostAddress(c.run.IPs)
	var b strings.Builder
	named := map[string]bool{}
	add := func(ip string, names ...string) {
		names = slices.DeleteFunc(names, func(n string) bool { return named[n] })
		if ip != "" && len(names) > 0 {
			fmt.Fprintf(&b, "%s\t%s\n", ip, strings.Join(names, " "))
		}
	}
	for _, h := range o.AddHosts {
		text, ip, _ := strings.Cut(h, ":")
		if ip == "host-gateway" {
			if ip = gateway; ip == "" {
				return errs.WithHint(errs.Invalid("--add-host %s: this host has no address that a container can reach", h), "set host_containers_internal_ip in containers.conf")
			}
		}
		names := strings.Split(text, ";")
		add(strings.Trim(ip, "[]"), names...)
		for _, n := range names {
			named[n] = true
		}
	}
	shared := c.Config.Network == "host"
	if !shared {
		named[hostName], named[dockerHostName] = true, true // a host's own line for it is not the container's
	}
	local := false
	for line := range strings.Lines(base) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 1 {
			local = local || slices.Contains(fields[1:], "localhost")
			add(fields[0], fields[1:]...)
		}
	}
	delete(named, hostName)
	delete(named, dockerHostName)
	if !local {
		add("127.0.0.1", "localhost")
		add("::1", "localhost")
	}
	add(gateway, hostName, dockerHostName)
	if !shared {
		for _, self := range c.run.IPs {
			add(self, c.Config.Hostname, c.Config.Name)
		}
		if len(c.run.IPs) == 0 {
			add("127.0.0.1", c.Config.Hostname, c.Config.Name)
		}
	}
	return put(hostsFile, b.String(), 0o644)
}

// baseHosts is the text that /etc/hosts begins with: the host's file, the image's, none, or the file that is named
// (containers.conf(5), base_hosts_file).
func (s *Service) baseHosts(file, root string) (string, error) {
	if file == "" {
		file = s.Config.Containers.BaseHostsFile
	}
	var data []byte
	var err error
	switch file {
	case "none":
		return "", nil
	case "image":
		data, err = safepath.ReadFile(root, "/etc/hosts", 1<<20)
	case "":
		data, err = os.ReadFile("/etc/hosts")
	default:
		if data, err = os.ReadFile(file); err != nil {
			return "", fmt.Errorf("read the base of /etc/hosts: %w", err)
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(data), err
}

// hostAddress is what a container calls the host by: the configuration's, or the first address of the host that is
// neither a loopback one nor the container's own; "" when there is none.
func (s *Service) hostAddress(own []string) string {
	switch ip := s.Config.Containers.HostContainersIP; ip {
	case "":
	case "none":
		return ""
	default:
		return ip
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() && !slices.Contains(own, n.IP.String()) {
			return n.IP.String()
		}
	}
	return ""
}

// CheckAddHost checks NAME:IP or NAME:host-gateway.
func CheckAddHost(text string) error {
	name, ip, ok := strings.Cut(text, ":")
	if !ok || name == "" || (ip != "host-gateway" && net.ParseIP(strings.Trim(ip, "[]")) == nil) {
		return errs.Invalid("--add-host %q is not NAME:ADDRESS", text)
	}
	return nil
}

// CheckHostsFile checks what --hosts-file names.
func CheckHostsFile(o *define.CreateOptions) error {
	if o.HostsFile == "" || o.HostsFile == "image" || o.HostsFile == "none" {
		return nil
	}
	if info, err := os.Stat(o.HostsFile); err != nil || info.IsDir() {
		return errs.Invalid("--hosts-file %q: image, none and the path of a file are there", o.HostsFile)
	}
	return nil
}
