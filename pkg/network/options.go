package network

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// option is what is known of a key of --opt.
type option struct {
	drivers []string // that have it
	check   func(driver, value string) error
}

// allDrivers are the drivers of networks that hull knows.
var allDrivers = []string{DriverBridge, DriverMacvlan, DriverIpvlan}

// optionsOf is the table of all keys (podman-network-create(1), --opt).
func optionsOf() map[string]option {
	bridge, macs, lans := []string{DriverBridge}, []string{DriverMacvlan}, []string{DriverMacvlan, DriverIpvlan}
	return map[string]option{
		OptionMTU:            {allDrivers, numeric(0, 65535)},
		OptionMetric:         {allDrivers, numeric(0, 1<<32-1)},
		OptionNoDefaultRoute: {allDrivers, boolean},
		OptionMode:           {allDrivers, modeOf},
		OptionParent:         {lans, interfaceName},
		OptionVLAN:           {bridge, numeric(0, 4094)},
		OptionIsolate:        {bridge, isolation},
		OptionHostInterface:  {bridge, interfaceName},
		OptionVRF:            {bridge, interfaceName},
		OptionBCLIM:          {macs, numeric(-1, 1<<31-1)},
		OptionICC:            {bridge, boolean},
	}
}

// modes are the words of --opt mode; the first is what a network has that says nothing.
var modes = map[string][]string{
	DriverBridge:  {ModeManaged, ModeUnmanaged},
	DriverMacvlan: {"bridge", "private", "vepa", "passthru"},
	DriverIpvlan:  {"l2", "l3", "l3s"},
}

// Values of OptionMode of a bridge.
const (
	ModeManaged   = "managed"
	ModeUnmanaged = "unmanaged" // the bridge is there already, and is not hull's to change
)

// checkOptions refuses keys that the driver does not have and values that mean nothing.
func checkOptions(driver string, options map[string]string) error {
	known := optionsOf()
	for _, key := range slices.Sorted(maps.Keys(options)) {
		o, ok := known[key]
		if !ok || !slices.Contains(o.drivers, driver) {
			maps.DeleteFunc(known, func(_ string, o option) bool { return !slices.Contains(o.drivers, driver) })
			words := slices.Sorted(maps.Keys(known))
			return errs.WithHint(errs.Invalid("unsupported %s network option %s%s", driver, key, errs.DidYouMean(key, words)), "there are %s", strings.Join(words, ", "))
		}
		if err := o.check(driver, options[key]); err != nil {
			return errs.Invalid("--opt %s=%s: %s", key, options[key], err)
		}
	}
	return nil
}

func numeric(low, high int64) func(string, string) error {
	return func(_, value string) error {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < low || n > high {
			return errs.Invalid("it is a number between %d and %d", low, high)
		}
		return nil
	}
}

func boolean(_, value string) error {
	if _, err := strconv.ParseBool(value); err != nil {
		return errs.Invalid("it is true or false")
	}
	return nil
}

func isolation(_, value string) error {
	if value != IsolateStrict && boolean("", value) != nil {
		return errs.Invalid("it is true, false or strict%s", errs.DidYouMean(value, []string{"true", "false", IsolateStrict}))
	}
	return nil
}

// IsolateStrict is the value of OptionIsolate that is no boolean.
const IsolateStrict = "strict"

func modeOf(driver, value string) error {
	if !slices.Contains(modes[driver], value) {
		return errs.Invalid("a %s has %s%s", driver, strings.Join(modes[driver], ", "), errs.DidYouMean(value, modes[driver]))
	}
	return nil
}

// interfaceName is what Linux takes as the name of an interface (dev_valid_name).
func interfaceName(_, value string) error {
	const longest = 15
	if value == "" || len(value) > longest || value == "." || value == ".." || strings.ContainsFunc(value, func(r rune) bool {
		return r <= ' ' || r == '/' || r == ':' || r > '~'
	}) {
		return errs.Invalid("an interface's name has at most %d letters, and neither space, slash nor colon", longest)
	}
	return nil
}

// dockerOptions are docker's names for options of podman's. Those with a fixed value are what hull does anyhow; with
// another they are for something that is not built.
var dockerOptions = map[string]struct{ name, fixed string }{
	"com.docker.network.bridge.name": {name: dockerBridge},
	"com.docker.network.driver.mtu":  {name: OptionMTU},
	"macvlan_mode":                   {name: OptionMode},
	"ipvlan_mode":                    {name: OptionMode},
	OptionICC:                        {fixed: "true"},
	"com.docker.network.bridge.enable_ip_masquerade": {fixed: "true"},
	"com.docker.network.bridge.host_binding_ipv4":    {fixed: "0.0.0.0"},
	"com.docker.network.bridge.host_binding_ipv6":    {fixed: "::"},
	"com.docker.network.bridge.gateway_mode_ipv4":    {fixed: "nat"},
	"com.docker.network.bridge.gateway_mode_ipv6":    {fixed: "nat"},
	"com.docker.network.bridge.inhibit_ipv4":         {fixed: "false"},
	"com.docker.network.bridge.default_bridge":       {fixed: "false"},
	"com.docker.network.container_iface_prefix":      {fixed: "eth"},
}

const dockerBridge = "interface"

// translate replaces docker's names among the options, and moves those that are no options here: the parent and the
// name of the bridge are the network's interface. enable_icc=false stays as it is called.
func (n *Network) translate() error {
	for _, key := range slices.Sorted(maps.Keys(n.Options)) {
		value := n.Options[key]
		docker, ok := dockerOptions[key]
		switch {
		case key == OptionParent && n.Driver != DriverBridge || docker.name == dockerBridge:
			if n.Interface != "" && n.Interface != value {
				return errs.Invalid("--opt %s=%s: the interface is %s already", key, value, n.Interface)
			}
			n.Interface = value
		case !ok && strings.HasPrefix(key, "com.docker."):
			return errs.NotBuilt("--opt " + key + errs.DidYouMean(key, slices.Sorted(maps.Keys(dockerOptions))))
		case !ok || key == OptionICC && !sameValue(value, docker.fixed):
			continue
		case docker.name == "" && !sameValue(value, docker.fixed):
			return errs.NotBuilt("--opt " + key + "=" + value)
		case docker.name != "":
			if old, ok := n.Options[docker.name]; ok && old != value {
				return errs.Invalid("--opt %s=%s: %s is %s already", key, value, docker.name, old)
			}
			n.Options[docker.name] = value
		}
		delete(n.Options, key)
	}
	return nil
}

// sameValue reports whether two values are the same, for truths in any of their spellings.
func sameValue(a, b string) bool {
	x, err1 := strconv.ParseBool(a)
	y, err2 := strconv.ParseBool(b)
	return a == b || err1 == nil && err2 == nil && x == y
}

// Mode is the network's mode, that of its driver when it does not say (podman-network-create(1), --opt mode).
func (n *Network) Mode() string {
	first := ""
	if words := modes[n.Driver]; len(words) > 0 {
		first = words[0]
	}
	return cmp.Or(n.Options[OptionMode], first)
}

// Owned reports whether hull makes the network's bridge, with addresses, names and rules; else its containers are on an
// interface that is the host's.
func (n *Network) Owned() bool { return n.Driver == DriverBridge && n.Mode() == ModeManaged }

// NoDefaultRoute reports whether containers get no default route over the network.
func (n *Network) NoDefaultRoute() bool {
	set, _ := strconv.ParseBool(n.Options[OptionNoDefaultRoute])
	return set
}

// Separate reports whether the containers on the network do not reach each other, but for published ports. They reach the
// gateway, the names that it knows, and what lies beyond.
func (n *Network) Separate() bool {
	together, err := strconv.ParseBool(n.Options[OptionICC])
	return err == nil && !together
}

// VLAN is the VLAN of the bridge that the containers on the network are in; 0 is none.
func (n *Network) VLAN() uint16 {
	id, _ := strconv.ParseUint(n.Options[OptionVLAN], 10, 16)
	return uint16(id)
}

// VRF is the device of the host's that has the routes of the network; "" is none: the host's own routes.
func (n *Network) VRF() string { return n.Options[OptionVRF] }

// Isolated reports whether the network and other isolated ones do not reach each other.
func (n *Network) Isolated() bool {
	set, _ := strconv.ParseBool(n.Options[OptionIsolate])
	return set || n.Options[OptionIsolate] == IsolateStrict
}
