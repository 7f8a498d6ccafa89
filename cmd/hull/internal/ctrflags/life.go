package ctrflags

import (
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// lifeFlags are a container's name, and how it stops, restarts and goes.
type lifeFlags struct {
	name, cidFile, pidFile, monitorPID, stopSignal, restart string
	stopTimeout, timeout                                    uint
	remove, removeImage, replace                            bool
}

func (g *lifeFlags) add(fs *pflag.FlagSet, run bool) {
	fs.StringVar(&g.name, "name", "", "Assign a name to the container")
	fs.StringVar(&g.cidFile, "cidfile", "", "Write the container ID to the file")
	fs.StringVar(&g.pidFile, "pidfile", "", "Write the container process ID to the file")
	fs.StringVar(&g.monitorPID, "conmon-pidfile", "", "Path to the file that will receive the PID of the monitor")
	fs.StringVar(&g.stopSignal, "stop-signal", "", "Signal to stop a container (default SIGTERM)")
	fs.UintVar(&g.stopTimeout, "stop-timeout", 10, "Timeout (in seconds) that containers stopped by user command have to exit")
	fs.UintVar(&g.timeout, "timeout", 0, "Maximum time (in seconds) a container is allowed to run; 0 is no limit")
	fs.StringVar(&g.restart, "restart", "", `Restart policy to apply when a container exits ("always"|"no"|"never"|"on-failure[:MAX]"|"unless-stopped")`)
	fs.BoolVar(&g.remove, "rm", false, "Remove container and any anonymous unnamed volume associated with the container after exit")
	fs.BoolVar(&g.replace, "replace", false, "If a container with the same name exists, replace it")
	if run {
		fs.BoolVar(&g.removeImage, "rmi", false, "Remove image unless used by other containers, implies --rm")
	}
}

func (g *lifeFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) (err error) {
	o.Name, o.StopSignal, o.Timeout = g.name, g.stopSignal, g.timeout
	o.StopTimeout = g.stopTimeout
	if !fs.Changed("stop-timeout") {
		o.StopTimeout = uint(c.Engine.StopTimeout)
	}
	o.Remove, o.RemoveImage, o.Replace = g.remove || g.removeImage, g.removeImage, g.replace
	if g.replace && g.name == "" {
		return errs.Invalid("cannot replace container without --name being set")
	}
	for _, p := range []struct {
		from string
		to   *string
	}{{g.cidFile, &o.CIDFile}, {g.pidFile, &o.PIDFile}, {g.monitorPID, &o.MonitorPID}} {
		if *p.to, err = absolute(p.from); err != nil {
			return err
		}
	}
	o.CreateCommand = os.Args
	policy, tries, limited := strings.Cut(g.restart, ":")
	if policy == "never" {
		policy = "no"
	}
	o.Restart = policy
	if !limited {
		return nil
	}
	n, err := strconv.ParseUint(tries, 10, 31)
	if err != nil || policy != "on-failure" {
		return errs.Invalid("--restart %q: only on-failure takes a number of retries", g.restart)
	}
	o.RestartMax = uint(n)
	return nil
}

// imageFlags say which image, and whether it may be fetched.
type imageFlags struct {
	pull        string
	rootfs      bool
	quiet       bool
	imageVolume string
}

func (g *imageFlags) add(fs *pflag.FlagSet, _ bool) {
	fs.StringVar(&g.pull, "pull", "missing", `Pull image before creating ("always"|"missing"|"never"|"newer")`)
	fs.BoolVar(&g.rootfs, "rootfs", false, "The first argument is not an image but the rootfs to the exploded container")
	fs.BoolVarP(&g.quiet, "quiet", "q", false, "Suppress output information when pulling images")
	fs.StringVar(&g.imageVolume, "image-volume", "anonymous", `How the image's own volumes are made ("anonymous"|"ignore"|"tmpfs")`)
}

func (g *imageFlags) apply(o *define.CreateOptions, fs *pflag.FlagSet, c *config.Config) error {
	if !fs.Changed("pull") && c.Engine.PullPolicy != "" {
		g.pull = c.Engine.PullPolicy
	}
	o.Pull, o.Rootfs, o.Quiet = strings.ToLower(g.pull), g.rootfs, g.quiet
	switch o.Pull {
	case "true":
		o.Pull = "always"
	case "false":
		o.Pull = "never"
	case "always", "missing", "never", "newer":
	default:
		return errs.Invalid("--pull %q%s: always, missing, never and newer are there", g.pull, errs.DidYouMean(g.pull, []string{"always", "missing", "never", "newer"}))
	}
	switch o.ImageVolume = g.imageVolume; o.ImageVolume {
	case "anonymous", "ignore", "tmpfs":
		return nil
	case "bind", "":
		o.ImageVolume = "anonymous"
		return nil
	}
	return errs.Invalid("--image-volume %q: anonymous, ignore and tmpfs are there", g.imageVolume)
}
