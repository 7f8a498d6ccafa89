package ctrflags

import (
	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// namespaceFlags are what the container shares with the host or with other containers.
type namespaceFlags struct {
	ipc, pid, uts, cgroupns, userns, cgroups string
	uidMap, gidMap                           []string
}

func (g *namespaceFlags) add(fs *pflag.FlagSet, _ bool) {
	fs.StringVar(&g.ipc, "ipc", "", "IPC namespace to use")
	fs.StringVar(&g.pid, "pid", "", "PID namespace to use")
	fs.StringVar(&g.uts, "uts", "", "UTS namespace to use")
	fs.StringVar(&g.cgroupns, "cgroupns", "", "Cgroup namespace to use")
	fs.StringVar(&g.userns, "userns", "", "User namespace to use")
	fs.StringVar(&g.cgroups, "cgroups", "enabled", `Control container cgroup configuration ("enabled"|"disabled")`)
	lists.CommaVar(fs, &g.uidMap, "uidmap", "", "UID map to use for the user namespace")
	lists.CommaVar(fs, &g.gidMap, "gidmap", "", "GID map to use for the user namespace")
}

func (g *namespaceFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) error {
	o.IPC, o.PID, o.UTS, o.CgroupNS, o.UserNS = g.ipc, g.pid, g.uts, g.cgroupns, g.userns
	for _, d := range []struct {
		value   *string
		setting string
	}{{&o.IPC, c.Containers.Ipcns}, {&o.PID, c.Containers.Pidns}, {&o.UTS, c.Containers.Utsns}, {&o.CgroupNS, c.Containers.Cgroupns}, {&o.UserNS, c.Containers.Userns}} {
		if *d.value == "" {
			*d.value = d.setting
		}
	}
	o.UIDMap, o.GIDMap = g.uidMap, g.gidMap
	if (len(g.uidMap) > 0 || len(g.gidMap) > 0) && g.userns == "" {
		o.UserNS = ""
	}
	o.Cgroups = g.cgroups
	if !fs.Changed("cgroups") {
		o.Cgroups = c.Containers.Cgroups
	}
	if o.UTS == "host" && fs.Changed("hostname") {
		return errs.Invalid("--hostname cannot be set with --uts=host: the name would be the host's")
	}
	return nil
}

// securityFlags are what the container may do.
type securityFlags struct {
	privileged                                bool
	capAdd, capDrop, options, sysctl, ulimits []string
}

func (g *securityFlags) add(fs *pflag.FlagSet, _ bool) {
	fs.BoolVar(&g.privileged, "privileged", false, "Give extended privileges to container")
	lists.CommaVar(fs, &g.capAdd, "cap-add", "", "Add capabilities to the container")
	lists.CommaVar(fs, &g.capDrop, "cap-drop", "", "Drop capabilities from the container")
	lists.Var(fs, &g.options, "security-opt", "", "Security options (apparmor, label, mask, no-new-privileges, proc-opts, seccomp, unmask)")
	lists.CommaVar(fs, &g.sysctl, "sysctl", "", "Sysctl options (name=value)")
	lists.CommaVar(fs, &g.ulimits, "ulimit", "", "Ulimit options (name=soft[:hard], or host)")
}

func (g *securityFlags) apply(o *define.CreateOptions, _ *pflag.FlagSet, c *config.Config) (err error) {
	o.Privileged = g.privileged || c.Containers.Privileged
	o.CapAdd, o.CapDrop, o.SecurityOpts, o.Ulimits = g.capAdd, g.capDrop, g.options, g.ulimits
	o.Sysctl, err = Pairs("--sysctl", g.sysctl)
	for key, value := range o.Sysctl {
		if value == "" {
			return errs.Invalid("--sysctl %q is not NAME=VALUE", key)
		}
	}
	return err
}

// logFlags are where the output goes.
type logFlags struct {
	driver     string
	options    []string
	detachKeys string
}

func (g *logFlags) add(fs *pflag.FlagSet, run bool) {
	fs.StringVar(&g.driver, "log-driver", "", `Logging driver for the container (default "k8s-file")`)
	lists.Var(fs, &g.options, "log-opt", "", "Logging driver options (max-size, path, tag, label)")
	if run {
		fs.StringVar(&g.detachKeys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container")
	}
}

func (g *logFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) (err error) {
	o.LogDriver = g.driver
	if o.LogDriver == "" {
		o.LogDriver = c.Containers.LogDriver
	}
	o.DetachKeys = g.detachKeys
	if !fs.Changed("detach-keys") && c.Engine.DetachKeys != "" {
		o.DetachKeys = c.Engine.DetachKeys
	}
	o.LogOptions, err = valuedPairs("--log-opt", g.options)
	return err
}
