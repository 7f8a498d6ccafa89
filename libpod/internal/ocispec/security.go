package ocispec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/pkg/errs"
)

// Paths under /proc and /sys that tell of the host or change it (podman-run(1) --security-opt mask, unmask).
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/dev/block", "/sys/devices/virtual/powercap",
	}
	readonlyPaths = []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// SecurityOpts is --security-opt taken apart.
type SecurityOpts struct {
	NoNewPrivileges bool
	Seccomp         string // path, unconfined, or "" for the default
	AppArmor        string
	Mask, Unmask    []string
	ProcOpts        []string
	LabelDisable    bool
}

var securityKeys = []string{"apparmor", "label", "mask", "no-new-privileges", "proc-opts", "seccomp", "unmask"}

// ParseSecurityOpts reads KEY=VALUE (or KEY:VALUE, as docker has it).
func ParseSecurityOpts(list []string) (o SecurityOpts, err error) {
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			key, value, ok = strings.Cut(text, ":")
		}
		switch {
		case key == "no-new-privileges":
			if ok && value != "true" && value != "false" {
				return o, errs.Invalid("--security-opt %s: not true or false", text)
			}
			o.NoNewPrivileges = value != "false"
		case !slices.Contains(securityKeys, key):
			return o, errs.Invalid("--security-opt %q: there is no option %q%s", text, key, errs.DidYouMean(key, securityKeys))
		case !ok || value == "":
			return o, errs.Invalid("--security-opt %q needs a value: %s=VALUE", text, key)
		default:
			o.set(key, value)
		}
		if key == "label" && value != "disable" && !strings.HasPrefix(value, "nested") {
			return o, errs.Invalid("--security-opt %q: SELinux is not enabled on this machine; only label=disable works", text)
		}
		if key == "apparmor" && value != "unconfined" && !appArmorEnabled() {
			return o, errs.Invalid("--security-opt %q: AppArmor is not enabled on this machine", text)
		}
	}
	return o, nil
}

func (o *SecurityOpts) set(key, value string) {
	switch key {
	case "seccomp":
		o.Seccomp = value
	case "apparmor":
		o.AppArmor = value
	case "mask":
		o.Mask = append(o.Mask, strings.Split(value, ":")...)
	case "unmask":
		o.Unmask = append(o.Unmask, strings.Split(value, ":")...)
	case "proc-opts":
		o.ProcOpts = strings.Split(value, ",")
	case "label":
		o.LabelDisable = true
	}
}

func appArmorEnabled() bool {
	data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(data), "Y")
}

func security(in *Input, s *specs.Spec) error {
	o, err := ParseSecurityOpts(in.Config.Options.SecurityOpts)
	if err != nil {
		return err
	}
	s.Process.NoNewPrivileges = o.NoNewPrivileges
	if o.AppArmor != "" && o.AppArmor != "unconfined" {
		s.Process.ApparmorProfile = o.AppArmor
	}
	if !in.Config.Options.Privileged {
		s.Linux.MaskedPaths = unmasked(maskedPaths, o.Unmask)
		s.Linux.ReadonlyPaths = unmasked(readonlyPaths, o.Unmask)
	}
	s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, o.Mask...)
	for i := range s.Mounts {
		if s.Mounts[i].Destination == "/proc" && len(o.ProcOpts) > 0 {
			s.Mounts[i].Options = append(s.Mounts[i].Options, o.ProcOpts...)
		}
	}
	return nil
}

// unmasked returns paths without those that a pattern of unmask names; ALL names every one.
func unmasked(paths, unmask []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		return slices.ContainsFunc(unmask, func(pattern string) bool {
			match, err := filepath.Match(pattern, path)
			return strings.EqualFold(pattern, "all") || (err == nil && match)
		})
	})
}
