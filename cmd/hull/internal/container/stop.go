package container

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/ctrflags"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/signals"
)

func execEnv(env, files []string) ([]string, error) { return ctrflags.Environment(env, files) }

func execFDs(count uint, list []uint) ([]uint, error) { return ctrflags.PreserveFDs(count, list) }

// seconds is a --time flag: nil when it was not given, a negative number waits without end.
func seconds(cmd *cobra.Command, n int) *uint {
	if !cmd.Flags().Changed("time") && !cmd.Flags().Changed("timeout") {
		return nil
	}
	u := uint(n)
	if n < 0 {
		u = uint((1 << 31) * time.Nanosecond)
	}
	return &u
}

// NewStop makes "hull stop".
func NewStop(d Deps) *cobra.Command {
	var p pick
	var ignore bool
	var timeout int
	cmd := &cobra.Command{
		Use: "stop [options] CONTAINER [CONTAINER...]", Short: "Stop one or more containers",
		Example: "  hull stop web\n  hull stop --time 2 web\n  hull stop --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		refs, err := p.refs(ctx, e, args, (*define.ListedContainer).Running)
		if err != nil {
			return err
		}
		o := define.StopOptions{Ignore: ignore, Timeout: seconds(cmd, timeout)}
		return each(d, refs, func(ref string) error { return e.Containers.Stop(ctx, ref, o) })
	}
	fs := cmd.Flags()
	p.addAll(fs, "Stop all running containers")
	p.addLatest(fs)
	p.addCIDFile(fs)
	p.addFilter(fs, "f")
	fs.BoolVarP(&ignore, "ignore", "i", false, "Ignore errors when a specified container is missing")
	fs.IntVarP(&timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
	return cmd
}

// NewRestart makes "hull restart".
func NewRestart(d Deps) *cobra.Command {
	var p pick
	var running bool
	var timeout int
	cmd := &cobra.Command{
		Use: "restart [options] CONTAINER [CONTAINER...]", Short: "Restart one or more containers",
		Example: "  hull restart web\n  hull restart --running",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		keep := func(*define.ListedContainer) bool { return true }
		if running {
			p.all, keep = true, (*define.ListedContainer).Running
		}
		refs, err := p.refs(ctx, e, args, keep)
		if err != nil {
			return err
		}
		return each(d, refs, func(ref string) error { return e.Containers.Restart(ctx, ref, seconds(cmd, timeout)) })
	}
	fs := cmd.Flags()
	p.addAll(fs, "Restart all non-running containers")
	p.addLatest(fs)
	p.addCIDFile(fs)
	p.addFilter(fs, "f")
	fs.BoolVar(&running, "running", false, "Restart only running containers")
	fs.IntVarP(&timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
	return cmd
}

// NewKill makes "hull kill".
func NewKill(d Deps) *cobra.Command {
	var p pick
	var name string
	cmd := &cobra.Command{
		Use: "kill [options] CONTAINER [CONTAINER...]", Short: "Kill one or more running containers with a specific signal",
		Example: "  hull kill web\n  hull kill --signal HUP web",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		sig, err := signals.Parse(name)
		if err != nil {
			return err
		}
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		refs, err := p.refs(ctx, e, args, (*define.ListedContainer).Running)
		if err != nil {
			return err
		}
		return each(d, refs, func(ref string) error { return e.Containers.Kill(ctx, ref, sig) })
	}
	fs := cmd.Flags()
	p.addAll(fs, "Signal all running containers")
	p.addLatest(fs)
	p.addCIDFile(fs)
	fs.StringVarP(&name, "signal", "s", "KILL", "Signal to send to the container")
	return cmd
}

// NewRm makes "hull rm".
func NewRm(d Deps) *cobra.Command {
	var p pick
	var o define.RemoveOptions
	var timeout int
	cmd := &cobra.Command{
		Use: "rm [options] CONTAINER [CONTAINER...]", Short: "Remove one or more containers",
		Example: "  hull rm web\n  hull rm --force --volumes web\n  hull rm --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		refs, err := p.refs(ctx, e, args, nil)
		if err != nil {
			return err
		}
		o.Timeout = seconds(cmd, timeout)
		if o.Timeout != nil && !o.Force {
			return errs.Invalid("--force option must be specified to use the --time option")
		}
		var writes sync.Mutex
		o.Gone = func(id string) {
			writes.Lock()
			defer writes.Unlock()
			_, _ = fmt.Fprintln(d.Streams.Out, id) // a bad output is told with the next line
		}
		return eachOnceFree(d, refs, func(ref string) error { return removeCode(e.Containers.Remove(ctx, ref, o)) })
	}
	fs := cmd.Flags()
	p.addAll(fs, "Remove all containers")
	p.addLatest(fs)
	p.addCIDFile(fs)
	p.addFilter(fs, "")
	fs.BoolVar(&o.Depend, "depend", false, "Remove container and all containers that depend on the selected container")
	fs.BoolVarP(&o.Force, "force", "f", false, "Force removal of a running or unusable container")
	fs.BoolVarP(&o.Ignore, "ignore", "i", false, "Ignore errors when a specified container is missing")
	fs.BoolVarP(&o.Volumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	fs.IntVarP(&timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
	return cmd
}

// removeCode gives an error of rm podman's exit codes: 1 when a container is not there, 2 when it runs or is needed
// (podman-rm(1), "Exit Status").
func removeCode(err error) error {
	switch {
	case err == nil:
		return nil
	case errs.IsNotFound(err):
		return errs.WithExit(err, 1)
	case errs.IsConflict(err):
		return errs.WithExit(err, 2)
	}
	return err
}

// NewRename makes "hull rename".
func NewRename(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "rename CONTAINER NAME", Short: "Rename an existing container",
		Example: "  hull rename web old-web", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Containers.Rename(cmd.Context(), args[0], strings.TrimPrefix(args[1], "/"))
		},
	}
}

// NewCleanup makes "hull container cleanup".
func NewCleanup(d Deps) *cobra.Command {
	var p pick
	var session string
	var o define.CleanupOptions
	cmd := &cobra.Command{
		Use: "cleanup [options] CONTAINER [CONTAINER...]", Short: "Clean up network and mountpoints of one or more containers",
		Example: "  hull container cleanup --latest\n  hull container cleanup --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		alone()
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		if session != "" && o.RemoveImage {
			return errs.Invalid("--exec and --rmi cannot be used together: an exec session has no image")
		}
		refs, err := p.refs(ctx, e, args, startable)
		if err != nil {
			return err
		}
		return each(d, refs, func(ref string) error {
			if session != "" {
				return e.Containers.CleanupExec(ctx, ref, session)
			}
			return e.Containers.Cleanup(ctx, ref, o)
		})
	}
	fs := cmd.Flags()
	p.addAll(fs, "Cleans up all containers")
	p.addLatest(fs)
	fs.StringVar(&session, "exec", "", "Clean up the given exec session instead of the container")
	fs.BoolVar(&o.Remove, "rm", false, "After cleanup, remove the container entirely")
	fs.BoolVar(&o.RemoveImage, "rmi", false, "After cleanup, remove the image entirely")
	return cmd
}
