package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// NewExists makes "hull container exists".
func NewExists(d Deps) *cobra.Command {
	var external bool
	cmd := &cobra.Command{
		Use: "exists [options] CONTAINER", Short: "Check if a container exists in local storage",
		Long:    "Check if a container exists: the exit code is 0 when it does, 1 when it does not.",
		Example: "  hull container exists web", Args: cobra.ExactArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		open := d.Reader
		if external {
			open = d.Engine // the store is read inside the namespaces
		}
		e, err := open(cmd.Context())
		if err != nil {
			return err
		}
		found, err := e.Containers.Exists(cmd.Context(), args[0])
		if err == nil && !found && external {
			found, err = e.Others.Exist(cmd.Context(), args[0])
		}
		if err == nil && !found {
			return errs.WithExit(nil, 1)
		}
		return err
	}
	cmd.Flags().BoolVar(&external, "external", false, "Check external storage containers as well as hull's")
	return cmd
}

// NewPort makes "hull port".
func NewPort(d Deps) *cobra.Command {
	var p pick
	cmd := &cobra.Command{
		Use: "port [options] CONTAINER [PORT]", Short: "List port mappings or a specific mapping for the container",
		Example: "  hull port web\n  hull port web 80/tcp\n  hull port --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Reader(ctx)
		if err != nil {
			return err
		}
		if p.all {
			list, err := e.Containers.List(ctx, false)
			if err != nil {
				return err
			}
			for _, c := range list {
				if err := printPorts(d, &c.Config.ContainerBrief, "", c.Config.ID[:12]+"\t"); err != nil {
					return err
				}
			}
			return nil
		}
		ref, rest, err := p.one(ctx, e, args)
		if err != nil {
			return err
		}
		if len(rest) > 1 {
			return errs.Invalid("hull port takes a container and one port")
		}
		c, err := e.Containers.Lookup(ctx, ref)
		if err != nil {
			return err
		}
		return printPorts(d, &c.Config.ContainerBrief, strings.Join(rest, ""), "")
	}
	p.addAll(cmd.Flags(), "Display port information for all containers")
	p.addLatest(cmd.Flags())
	return cmd
}

// printPorts prints a container's published ports, or the one that is asked for.
func printPorts(d Deps, c *define.ContainerBrief, want, prefix string) error {
	wanted, protocol, _ := strings.Cut(want, "/")
	found := want == ""
	for _, p := range c.Ports {
		for i := range p.Range {
			ip := p.HostIP
			if ip == "" {
				ip = "0.0.0.0"
			}
			inside := fmt.Sprint(p.ContainerPort + i)
			var err error
			switch {
			case want == "":
				_, err = fmt.Fprintf(d.Streams.Out, "%s%s/%s -> %s:%d\n", prefix, inside, p.Protocol, ip, p.HostPort+i)
			case wanted == inside && (protocol == "" || protocol == p.Protocol):
				found = true
				_, err = fmt.Fprintf(d.Streams.Out, "%s:%d\n", ip, p.HostPort+i)
			}
			if err != nil {
				return err
			}
		}
	}
	if !found {
		return errs.NotFound("container %q publishes no port %s", c.Name, want)
	}
	return nil
}

// NewWait makes "hull wait".
func NewWait(d Deps) *cobra.Command {
	var p pick
	var conditions []string
	var interval string
	var ignore, first bool
	cmd := &cobra.Command{
		Use: "wait [options] CONTAINER [CONTAINER...]", Short: "Block on one or more containers",
		Long:    "Wait until the containers meet a condition, stopped or exited by default, and print their exit codes.",
		Example: "  hull wait web\n  hull wait --condition=running web",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		pause, err := waitInterval(interval)
		if err != nil {
			return err
		}
		e, err := d.Reader(ctx)
		if err != nil {
			return err
		}
		refs, err := p.refs(ctx, e, args, nil)
		if err != nil {
			return err
		}
		wait := func(ctx context.Context, ref string) error {
			code, err := e.Containers.WaitFor(ctx, ref, conditions, pause)
			if ignore && errs.IsNotFound(err) {
				code, err = -1, nil
			}
			if err == nil {
				_, err = fmt.Fprintln(d.Streams.Out, code)
			}
			return err
		}
		if first {
			return waitFirst(ctx, refs, wait)
		}
		var failed []error
		for _, ref := range refs {
			failed = append(failed, wait(ctx, ref))
		}
		return errors.Join(failed...)
	}
	fs := cmd.Flags()
	p.addLatest(fs)
	lists.CommaVar(fs, &conditions, "condition", "", "Condition to wait on")
	fs.StringVarP(&interval, "interval", "i", "250ms", "Time interval to wait before polling for completion")
	fs.BoolVar(&ignore, "ignore", false, "Ignore if a container does not exist")
	fs.BoolVar(&first, "exit-first-match", false, "Return when the first of the containers meets the condition")
	return cmd
}

// waitInterval reads a duration, or milliseconds.
func waitInterval(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	if d, err := time.ParseDuration(text + "ms"); err == nil && d >= 0 {
		return d, nil
	}
	return 0, errs.Invalid("--interval %q is not a duration such as 250ms", text)
}

// waitFirst returns with the first that is done.
func waitFirst(ctx context.Context, refs []string, wait func(context.Context, string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, len(refs))
	for _, ref := range refs {
		go func() { done <- wait(ctx, ref) }()
	}
	return <-done
}
