package ctrflags

import (
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// networkFlags are the container's network and what it knows of others.
type networkFlags struct {
	network, addHost, dns, dnsSearch, dnsOption, publish, expose []string
	publishAll, noHosts, noHostname                              bool
	hostsFile, mac                                               string
	ip, ip6                                                      net.IP
	alias                                                        []string
}

func (g *networkFlags) add(fs *pflag.FlagSet, _ bool) {
	lists.Var(fs, &g.network, "network", "", "Connect a container to a network: NAME[:OPTION=VALUE,...], bridge, none, host, container:NAME, ns:PATH, slirp4netns or pasta")
	lists.Var(fs, &g.network, "net", "", "Alias of --network")
	_ = fs.MarkHidden("net")
	lists.CommaVar(fs, &g.alias, "network-alias", "", "Add a network-scoped alias for the container")
	fs.IPVar(&g.ip, "ip", nil, "Specify a static IPv4 address for the container")
	fs.IPVar(&g.ip6, "ip6", nil, "Specify a static IPv6 address for the container")
	fs.StringVar(&g.mac, "mac-address", "", "Container MAC address (e.g. 92:d0:c6:0a:29:33)")
	lists.CommaVar(fs, &g.addHost, "add-host", "", "Add a custom host-to-IP mapping (host:ip)")
	lists.CommaVar(fs, &g.dns, "dns", "", "Set custom DNS servers")
	lists.CommaVar(fs, &g.dnsSearch, "dns-search", "", "Set custom DNS search domains")
	lists.CommaVar(fs, &g.dnsOption, "dns-option", "", "Set custom DNS options")
	lists.CommaVar(fs, &g.publish, "publish", "p", "Publish a container's port, or a range of ports, to the host")
	fs.BoolVarP(&g.publishAll, "publish-all", "P", false, "Publish all exposed ports to random ports on the host interface")
	lists.CommaVar(fs, &g.expose, "expose", "", "Expose a port or a range of ports")
	fs.StringVar(&g.hostsFile, "hosts-file", "", `What the container's /etc/hosts begins with ("image"|"none"|path; default: the host's)`)
	fs.BoolVar(&g.noHosts, "no-hosts", false, "Do not create /etc/hosts within the container, instead use the version from the image")
	fs.BoolVar(&g.noHostname, "no-hostname", false, "Do not create /etc/hostname within the container, instead use the version from the image")
}

func (g *networkFlags) apply(o *define.CreateOptions, _ *pflag.FlagSet, c *config.Config) error {
	o.Publish, o.PublishAll, o.Expose = g.publish, g.publishAll, g.expose
	o.Network = slices.DeleteFunc(slices.Clone(g.network), func(mode string) bool { return mode == "" }) // --network "$MAYBE"
	if len(o.Network) == 0 && c.Containers.Netns != "" && c.Containers.Netns != "private" {
		o.Network = []string{c.Containers.Netns}
	}
	if err := g.applyAddresses(o); err != nil {
		return err
	}
	o.NoHosts, o.NoHostname = g.noHosts || c.Containers.NoHosts, g.noHostname
	if g.noHosts && len(g.addHost) > 0 {
		return errs.Invalid("--no-hosts and --add-host cannot be set together")
	}
	if o.HostsFile = g.hostsFile; o.HostsFile != "" && o.NoHosts {
		return errs.Invalid("--no-hosts and --hosts-file cannot be set together")
	}
	if err := containers.CheckHostsFile(o); err != nil {
		return err
	}
	for _, text := range g.addHost {
		if err := containers.CheckAddHost(text); err != nil {
			return err
		}
	}
	o.AddHosts = g.addHost
	servers := g.dns
	if len(servers) == 0 {
		servers = c.Containers.DNSServers.Values
	}
	for _, server := range servers {
		if net.ParseIP(server) == nil && (server != "none" || len(servers) > 1) {
			return errs.Invalid("--dns %q is not an address", server)
		}
	}
	if len(servers) > 0 {
		o.DNS = &servers
	}
	for _, domain := range g.dnsSearch {
		if domain != "." && !isDomain(domain) { // which asks for none
			return errs.Invalid("--dns-search %q is not a valid domain", domain)
		}
	}
	o.DNSSearch, o.DNSOptions = g.dnsSearch, g.dnsOption
	if len(o.DNSSearch) == 0 {
		o.DNSSearch = c.Containers.DNSSearches.Values
	}
	if len(o.DNSOptions) == 0 {
		o.DNSOptions = c.Containers.DNSOptions.Values
	}
	return nil
}

// isDomain reports whether a text is a name as DNS has them (RFC 1035, 2.3.1), with underscores, which many have.
func isDomain(text string) bool {
	text = strings.TrimSuffix(text, ".")
	for label := range strings.SplitSeq(text, ".") {
		odd := func(r rune) bool {
			return r != '-' && r != '_' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
		}
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") || strings.ContainsFunc(label, odd) {
			return false
		}
	}
	return len(text) <= 253
}

// applyAddresses is apply for what is asked of the container's network.
func (g *networkFlags) applyAddresses(o *define.CreateOptions) error {
	o.MAC, o.NetworkAliases = g.mac, g.alias
	if g.ip != nil && g.ip.To4() == nil {
		return errs.Invalid("--ip %s is no IPv4 address", g.ip)
	}
	if g.ip6 != nil && g.ip6.To4() != nil {
		return errs.Invalid("--ip6 %s is no IPv6 address", g.ip6)
	}
	for _, ip := range []net.IP{g.ip, g.ip6} {
		if ip != nil {
			o.IPs = append(o.IPs, ip.String())
		}
	}
	return nil
}
