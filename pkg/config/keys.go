package config

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"

	"hull.dev/hull/pkg/errs"
)

// notBuilt are the keys that hull will act on and does not yet. A file that sets one to something else than its default
// gets a warning. Who builds it deletes it here. A whole table is one name.
func notBuilt() []string {
	return []string{
		"configmaps",
		"containers.apparmor_profile",
		"containers.cgroup_conf",
		"containers.interface_name",
		"containers.label",
		"containers.label_users",
		"containers.log_path",
		"containers.prepare_volume_on_create",
		"containers.userns_size",
		"engine.active_service",
		"engine.add_compression",
		"engine.cdi_spec_dirs",
		"engine.chown_copied_files",
		"engine.compose_providers",
		"engine.compose_warning_logs",
		"engine.events_container_create_inspect_data",
		"engine.healthcheck_events",
		"engine.image_build_format",
		"engine.image_default_format",
		"engine.image_default_transport",
		"engine.infra_command",
		"engine.infra_image",
		"engine.kube_generate_type",
		"engine.platform_to_oci_runtime",
		"engine.pod_exit_policy",
		"engine.remote",
		"engine.runtime_supports_kvm",
		"engine.service_destinations",
		"engine.service_timeout",
		"engine.ssh_config",
		"engine.volume_plugin_timeout",
		"engine.volume_plugins",
		"network.firewall_driver",
		"secrets",
	}
}

// needless are the keys that podman needs and hull never will: they are read, and nothing is said, since a file that
// podman shares may well set them. The reasons stand in containers.conf.
func needless() []string {
	return []string{
		"containers.rootless_networking",
		"engine.cgroup_check",
		"engine.conmon_env_vars",
		"engine.conmonrs_path",
		"engine.database_backend",
		"engine.enable_port_reservation",
		"engine.exit_command_delay",
		"engine.lock_type",
		"engine.namespace",
		"engine.num_locks",
		"engine.runtime_supports_json",
		"engine.runtime_supports_nocgroups",
		"farms",
		"machine",
		"network.cni_plugin_dirs",
		"network.netavark_plugin_dirs",
		"network.network_backend",
		"podmansh",
	}
}

// unbuilt warns of keys that are set and do nothing yet.
func (c *Config) unbuilt() []Warning {
	if len(c.set) == 0 {
		return nil
	}
	var warnings []Warning
	var was *Config // made when the first key asks for it
	for _, key := range notBuilt() {
		file := c.set[key]
		if file == "" {
			continue
		}
		if was == nil {
			was = Default()
		}
		now := value(c, key)
		before := value(was, key)
		if fmt.Sprint(now) != fmt.Sprint(before) {
			warnings = append(warnings, Warning{file, key, "is not built yet and has no effect"})
		}
	}
	return warnings
}

// allowed are the words of the keys that take no others. What may have more behind a colon ends in one here.
func allowed() map[string][]string {
	return map[string][]string{
		"containers.cgroupns":         {"private", "host"},
		"containers.cgroups":          {"enabled", "disabled", "no-conmon"},
		"containers.ipcns":            {"shareable", "private", "host", "none"},
		"containers.log_driver":       {"k8s-file", "json-file", "journald", "passthrough", "none"},
		"containers.netns":            {"private", "host", "none", "bridge", "bridge:", "slirp4netns", "slirp4netns:", "pasta", "pasta:", "ns:"},
		"containers.pidns":            {"private", "host"},
		"containers.userns":           {"host", "private", "auto", "auto:", "keep-id", "keep-id:", "nomap", "ns:"},
		"containers.utsns":            {"private", "host"},
		"engine.cgroup_manager":       {"cgroupfs", "systemd"},
		"engine.events_logger":        {"file", "journald", "none"},
		"engine.image_default_format": {"oci", "v2s2", "v2s1"},
		"engine.image_volume_mode":    {"anonymous", "bind", "tmpfs", "ignore", "nullfs"},
		"engine.pod_exit_policy":      {"continue", "stop"},
		"engine.pull_policy":          {"always", "missing", "never", "newer"},
	}
}

// check refuses values that no container can be made with. Only what a file sets is looked at.
func (c *Config) check() error {
	for key, words := range allowed() {
		if c.set[key] == "" {
			continue
		}
		v := value(c, key)
		if err := c.word(key, v, words); err != nil {
			return err
		}
	}
	if c.set["containers.shm_size"] != "" {
		if n, err := units.RAMInBytes(c.Containers.ShmSize); err != nil || n <= 0 {
			return c.wrong("containers.shm_size", c.Containers.ShmSize, `a size looks like "64m"`)
		}
	}
	if c.set["engine.events_logfile_max_size"] != "" {
		if n, err := units.RAMInBytes(c.Engine.EventsLogfileMax); err != nil || n < 0 {
			return c.wrong("engine.events_logfile_max_size", c.Engine.EventsLogfileMax, `a size looks like "1m"`)
		}
	}
	if c.set["containers.umask"] != "" {
		if n, err := strconv.ParseUint(c.Containers.Umask, 8, 32); err != nil || n > 0o777 {
			return c.wrong("containers.umask", c.Containers.Umask, `a umask looks like "0022"`)
		}
	}
	return c.checkNetwork()
}

// checkNetwork refuses ranges that no network can be in.
func (c *Config) checkNetwork() error {
	const subnet, pools = "network.default_subnet", "network.default_subnet_pools"
	if c.set[subnet] != "" {
		if _, err := netip.ParsePrefix(c.Network.DefaultSubnet); err != nil {
			return c.wrong(subnet, c.Network.DefaultSubnet, `a subnet looks like "10.88.0.0/16"`)
		}
	}
	if c.set[pools] == "" {
		return nil
	}
	for _, pool := range c.Network.DefaultSubnetPools {
		p, err := netip.ParsePrefix(pool.Base)
		if err != nil || !p.Addr().Is4() || pool.Size < p.Bits() || pool.Size > p.Addr().BitLen() {
			return c.wrong(pools, fmt.Sprintf("%s, size %d", pool.Base, pool.Size), `a pool looks like {base = "10.89.0.0/16", size = 24}; size is the length of a prefix, IPv4 alone`)
		}
	}
	return nil
}

// word is an error when v is none of the words; "" asks for nothing.
func (c *Config) word(key string, v reflect.Value, words []string) error {
	got := v.String()
	for _, w := range words {
		if got == "" || got == w || strings.HasSuffix(w, ":") && strings.HasPrefix(got, w) {
			return nil
		}
	}
	plain := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasSuffix(w, ":") })
	if near := errs.Nearest(got, plain); near != "" {
		return c.wrong(key, got, fmt.Sprintf("did you mean %q?", near))
	}
	return c.wrong(key, got, "it is one of "+strings.Join(plain, ", "))
}

func (c *Config) wrong(key, value, hint string) error {
	return errs.WithHint(errs.Invalid("%s: key %q is %q", c.set[key], key, value), "%s", hint)
}

// Seccomp is seccomp_profile, or where that is "" the profile that the machine has for all engines, as containers.conf(5) has them: "" is
// the built-in one.
func (c *Containers) Seccomp() string {
	if c.SeccompProfile != "" {
		return c.SeccompProfile
	}
	for _, path := range []string{"/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// ShmBytes is shm_size in bytes.
func (c *Containers) ShmBytes() int64 {
	n, err := units.RAMInBytes(c.ShmSize)
	if err != nil {
		return 64 << 20 // not reached: check has parsed what files set, and the default is right
	}
	return n
}
