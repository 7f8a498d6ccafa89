package containers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/safepath"
)

// writeFiles writes what the container sees in /etc and /run besides its image and its names, and returns where each file
// comes, those of names too, and the home of a user that the image does not have, else "".
func (s *Service) writeFiles(c *locked, root string) (list map[string]string, home string, err error) {
	files := map[string]string{}
	write := s.insidePutter(c.id())
	put := func(inside, content string, mode os.FileMode) error {
		files[inside] = s.insideFile(c.id(), inside)
		return write(inside, content, mode)
	}
	o := &c.Config.Options
	if err := put("/run/.containerenv", s.containerEnv(&c.Config), 0o644); err != nil {
		return nil, "", err
	}
	if !o.NoHostname {
		if err := put("/etc/hostname", c.Config.Hostname+"\n", 0o644); err != nil {
			return nil, "", err
		}
	}
	if hasHosts(&c.Config) {
		files[hostsFile] = s.insideFile(c.id(), hostsFile)
	}
	if hasResolv(&c.Config) {
		files[resolvFile] = s.insideFile(c.id(), resolvFile)
	}
	s.shareFiles(&c.Config, files)
	if !o.Rootfs {
		_ = safepath.Symlink(root, "/proc/mounts", "/etc/mtab") // as docker and podman, where the image has an /etc
	}
	if o.TZ != "" {
		if err := writeTimezone(o.TZ, put); err != nil {
			return nil, "", err
		}
	}
	home, err = writeUser(&c.Config, root, put)
	return files, home, err
}

// The files of names inside a container.
const (
	hostsFile  = "/etc/hosts"
	resolvFile = "/etc/resolv.conf"
)

func hasHosts(c *define.ContainerConfig) bool { return !c.Options.NoHosts }

func hasResolv(c *define.ContainerConfig) bool {
	o := &c.Options
	return c.Network != "none" && (o.DNS == nil || !slices.Contains(*o.DNS, "none"))
}

// writeNames writes the files of names, which tell of the addresses that the container has.
func (s *Service) writeNames(c *locked, root string, put putter) error {
	if hasHosts(&c.Config) {
		if err := s.writeHosts(c, root, put); err != nil {
			return err
		}
	}
	if !hasResolv(&c.Config) {
		return nil
	}
	content, err := resolvConf(&c.Config.Options, c.run)
	if err != nil {
		return err
	}
	return put(resolvFile, content, 0o644)
}

// insidePutter writes the files that the container sees.
func (s *Service) insidePutter(id string) putter {
	return func(inside, content string, mode os.FileMode) error {
		path := s.insideFile(id, inside)
		if err := os.WriteFile(path, []byte(content), mode); err != nil { //nolint:forbidigo // volatile, read by the container alone
			return err
		}
		return os.Chmod(path, mode) // whatever the umask took
	}
}

// shareFiles puts /etc/hosts and /etc/resolv.conf of the container whose network this one is in into the place of its own:
// what stands there of names is true of both, and changes for both. What this one's flags say is in its own alone, and one
// with ids of its own may not pass the other's folder.
func (s *Service) shareFiles(c *define.ContainerConfig, files map[string]string) {
	id, ok := strings.CutPrefix(c.Network, "container:")
	if !ok || c.IDMap != nil {
		return
	}
	o := &c.Options
	own := map[string]bool{
		hostsFile:  o.NoHosts || o.HostsFile != "" || len(o.AddHosts) > 0,
		resolvFile: o.DNS != nil || len(o.DNSSearch)+len(o.DNSOptions) > 0,
	}
	for inside, kept := range own {
		if path := s.insideFile(id, inside); !kept && exists(path) {
			files[inside] = path
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// insideFile is where the file lies that a container sees at the path inside.
func (s *Service) insideFile(id, inside string) string {
	return filepath.Join(s.dir(id), strings.TrimPrefix(strings.ReplaceAll(inside, "/", "-"), "-"))
}

// containerEnv is what /run/.containerenv says, nothing but by its being there to one that is not privileged (podman-run(1)).
func (s *Service) containerEnv(c *define.ContainerConfig) string {
	if !c.Options.Privileged {
		return ""
	}
	rootless := 1
	if s.Root {
		rootless = 0
	}
	return fmt.Sprintf("engine=\"hull\"\nname=%q\nid=%q\nimage=%q\nimageid=%q\nrootless=%d\n", c.Name, c.ID, c.ImageName, c.ImageID, rootless)
}

// resolvConf is the host's /etc/resolv.conf with what the flags put in place of its parts. Servers on the host's own
// loopback cannot be reached from another network namespace, so the uplink's stand for them. On networks their own servers
// are the only ones: they ask those of the host, or those of --dns.
func resolvConf(o *define.CreateOptions, run *state.Run) (string, error) {
	uplink := run.DNS
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var servers, search, options []string
	for line := range strings.Lines(string(host)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if ip := net.ParseIP(fields[1]); (uplink == nil && len(run.Joins) == 0) || (ip != nil && !ip.IsLoopback()) {
				servers = append(servers, fields[1])
			}
		case "search", "domain":
			search = fields[1:]
		case "options":
			options = fields[1:]
		}
	}
	switch named := len(run.Joins) > 0 && len(uplink) > 0; {
	case named:
		servers = uplink
	case o.DNS != nil:
		servers = *o.DNS
	default:
		servers = append(slices.Clone(uplink), servers...)
	}
	if len(o.DNSSearch) > 0 {
		search = slices.DeleteFunc(slices.Clone(o.DNSSearch), func(d string) bool { return d == "." })
	}
	if len(o.DNSOptions) > 0 {
		options = o.DNSOptions
	}
	var b strings.Builder
	if len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	for _, server := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", server)
	}
	if len(options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
	}
	return b.String(), nil
}

type putter func(inside, content string, mode os.FileMode) error

// zoneFile is the machine's file of a time zone, by its name in the tz database, or that of the machine's own for "local".
func zoneFile(zone string) string {
	if zone == "local" {
		return "/etc/localtime"
	}
	return filepath.Join("/usr/share/zoneinfo", filepath.Clean("/"+zone))
}

func checkTimezone(zone string) error {
	st, err := os.Stat(zoneFile(zone))
	if err == nil && st.Mode().IsRegular() {
		return nil
	}
	return errs.WithHint(errs.Invalid("there is no time zone %q", zone), "they are the files below /usr/share/zoneinfo, of the package tzdata")
}

func writeTimezone(zone string, put putter) error {
	data, err := os.ReadFile(zoneFile(zone))
	if err != nil {
		return errs.Invalid("timezone %q: %v", zone, err)
	}
	return put("/etc/localtime", string(data), 0o644)
}
