package container

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/ctrflags"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
)

// NewCreate makes "hull create".
func NewCreate(d Deps) *cobra.Command {
	flags := ctrflags.New()
	var pull pulling.Flags
	var attach []string
	cmd := &cobra.Command{
		Use: "create [options] IMAGE [COMMAND [ARG...]]", Short: "Create but do not start a container",
		Example: "  hull create alpine ls\n  hull create --name web -p 8080:80 nginx",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		alone()
		ctx := cmd.Context()
		if _, err := attachments(attach, false, false); err != nil {
			return err
		}
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		o, err := flags.Apply(cmd.Flags(), args, e.Config)
		if err != nil {
			return err
		}
		if err := fetch(ctx, d, e, &pull, &o); err != nil {
			return err
		}
		c, err := e.Containers.Create(ctx, o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(d.Streams.Out, c.ID)
		return err
	}
	flags.Add(cmd.Flags(), false)
	pull.Add(cmd.Flags())
	// As podman and docker have it: start --attach attaches what the container has, whatever is said here.
	lists.CommaVar(cmd.Flags(), &attach, "attach", "a", "STDIN, STDOUT or STDERR; start --attach attaches them all")
	return cmd
}

// runOptions are what "hull run" has besides the flags of create.
type runOptions struct {
	detach, sigProxy bool
	attach           []string
}

// makesNetwork reports whether a container of these networks has one made for it, beside the rest.
func makesNetwork(networks []string) bool {
	if len(networks) != 1 {
		return true
	}
	return networks[0] != "none" && networks[0] != "host" && !strings.HasPrefix(networks[0], "container:")
}

// NewRun makes "hull run".
func NewRun(d Deps) *cobra.Command {
	flags := ctrflags.New()
	var pull pulling.Flags
	o := &runOptions{}
	cmd := &cobra.Command{
		Use: "run [options] IMAGE [COMMAND [ARG...]]", Short: "Run a command in a new container",
		Example: "  hull run hello\n  hull run --rm -it alpine sh\n  hull run -d --name web -p 8080:80 nginx",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e, err := d.Engine(cmd.Context())
		if err != nil {
			return err
		}
		e.Prepare(cmd.Context())
		create, err := flags.Apply(cmd.Flags(), args, e.Config)
		if err != nil {
			return err
		}
		if !makesNetwork(create.Network) {
			alone()
		}
		if err := fetch(cmd.Context(), d, e, &pull, &create); err != nil {
			return err
		}
		return run(cmd.Context(), d, e.Containers, create, o)
	}
	fs := cmd.Flags()
	flags.Add(fs, true)
	pull.Add(fs)
	fs.BoolVarP(&o.detach, "detach", "d", false, "Run container in background and print container ID")
	fs.BoolVar(&o.sigProxy, "sig-proxy", true, "Proxy received signals to the process")
	lists.CommaVar(fs, &o.attach, "attach", "a", "Attach to STDIN, STDOUT or STDERR")
	return cmd
}

// fetch brings the image here as --pull says, before anything is made.
func fetch(ctx context.Context, d Deps, e *libpod.Engine, flags *pulling.Flags, o *define.CreateOptions) error {
	if o.Rootfs {
		return nil
	}
	pull, err := flags.Options(ctx, d.Streams, e.Config)
	if err != nil {
		return err
	}
	pull.Policy = o.Pull
	if !o.Quiet {
		pull.Progress = pulling.Progress(d.Streams)
	}
	ids, err := e.Images.Pull(ctx, o.Image, pull)
	if err != nil {
		return err
	}
	o.Image = pulling.Reference(o.Image, ids)
	return nil
}

func run(ctx context.Context, d Deps, s *containers.Service, create define.CreateOptions, o *runOptions) error {
	which, err := attachments(o.attach, o.detach, create.Interactive)
	if err != nil {
		return err
	}
	if o.detach {
		r, err := s.Run(ctx, create, containers.StartOptions{})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(d.Streams.Out, r.ID)
		return errors.Join(err, r.Close())
	}
	t, restore, err := openStreams(d, which, create.TTY, create.DetachKeys)
	if err != nil {
		return err
	}
	defer restore()
	r, err := s.Run(ctx, create, containers.StartOptions{Attach: t})
	if err != nil {
		return err
	}
	return follow(ctx, s, r, t, followOptions{proxy: o.sigProxy, restore: restore})
}

// NewStart makes "hull start".
func NewStart(d Deps) *cobra.Command {
	var p pick
	var attach, interactive, proxy bool
	var keys string
	cmd := &cobra.Command{
		Use: "start [options] CONTAINER [CONTAINER...]", Short: "Start one or more containers",
		Example: "  hull start web\n  hull start --attach --interactive shell\n  hull start --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		e.Prepare(ctx)
		refs, err := p.refs(ctx, e, args, startable)
		if err != nil {
			return err
		}
		if attach || interactive {
			if len(refs) != 1 {
				return errAttachOne
			}
			if !cmd.Flags().Changed("sig-proxy") {
				proxy = attach
			}
			return startAttached(ctx, d, e.Containers, refs[0], proxy, keys)
		}
		return each(d, refs, func(ref string) error {
			r, err := e.Containers.Start(ctx, ref, containers.StartOptions{})
			if err != nil {
				return err
			}
			return r.Close()
		})
	}
	fs := cmd.Flags()
	fs.BoolVar(&p.all, "all", false, "Start all containers regardless of their state or configuration")
	p.addLatest(fs)
	p.addFilter(fs, "f")
	fs.BoolVarP(&attach, "attach", "a", false, "Attach container's STDOUT and STDERR")
	fs.BoolVarP(&interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	fs.BoolVar(&proxy, "sig-proxy", false, "Proxy received signals to the process (default true if attaching, false otherwise)")
	fs.StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container")
	return cmd
}

var errAttachOne = errors.New("you cannot start and attach multiple containers at once")

func startable(c *define.ListedContainer) bool { return !c.Status.Alive() }

func startAttached(ctx context.Context, d Deps, s *containers.Service, ref string, proxy bool, keys string) error {
	c, err := s.Lookup(ctx, ref)
	if err != nil {
		return err
	}
	// With or without start's own --interactive, as podman has it: a container that reads stdin gets it.
	which := attached{stdin: c.Config.Options.Interactive, stdout: true, stderr: true}
	t, restore, err := openStreams(d, which, c.Config.Options.TTY, keys)
	if err != nil {
		return err
	}
	defer restore()
	r, err := s.Start(ctx, ref, containers.StartOptions{Attach: t})
	if err != nil {
		return err
	}
	return follow(ctx, s, r, t, followOptions{proxy: proxy, restore: restore})
}

// NewInit makes "hull init".
func NewInit(d Deps) *cobra.Command {
	var p pick
	cmd := &cobra.Command{
		Use: "init [options] CONTAINER [CONTAINER...]", Short: "Initialize one or more containers",
		Example: "  hull init web\n  hull init --all",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		e.Prepare(ctx)
		refs, err := p.refs(ctx, e, args, startable)
		if err != nil {
			return err
		}
		return each(d, refs, func(ref string) error {
			r, err := e.Containers.Start(ctx, ref, containers.StartOptions{InitAll: true})
			if err != nil {
				return err
			}
			return r.Close()
		})
	}
	p.addAll(cmd.Flags(), "Initialize all containers")
	p.addLatest(cmd.Flags())
	return cmd
}
