package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/term"
)

// attached says which of the streams are.
type attached struct{ stdin, stdout, stderr bool }

// attachments reads --attach; without it a foreground container has stdout and stderr, and stdin with --interactive.
func attachments(list []string, detach, interactive bool) (a attached, err error) {
	if len(list) == 0 {
		return attached{stdin: interactive, stdout: true, stderr: true}, nil
	}
	if detach {
		return a, errs.Invalid("invalid option: --attach and --detach cannot be used together")
	}
	for _, name := range list {
		switch strings.ToLower(name) {
		case "stdin":
			a.stdin = interactive
		case "stdout":
			a.stdout = true
		case "stderr":
			a.stderr = true
		default:
			return a, errs.Invalid("--attach %q%s: stdin, stdout and stderr are there", name, errs.DidYouMean(name, []string{"stdin", "stdout", "stderr"}))
		}
	}
	return a, nil
}

// openStreams makes the ends of the container's stdio here. With a terminal on both sides ours becomes raw; restore puts
// it back, once.
func openStreams(d Deps, which attached, tty bool, keys string) (t *containers.Streams, restore func(), err error) {
	t = new(containers.Streams)
	if tty { // what is no terminal sends any bytes
		t.DetachKeys = keys
	}
	t.Stdio = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	if which.stdin {
		t.Stdin = d.Streams.In
	}
	if which.stdout {
		t.Stdout = d.Streams.Out
	}
	if which.stderr {
		t.Stderr = d.Streams.Err
	}
	in, _ := d.Streams.In.(*os.File)
	if !tty || !term.IsTerminal(in) {
		return t, func() {}, nil
	}
	if width, height, err := term.Size(in); err == nil {
		t.Size = [2]uint16{height, width}
	}
	old, err := term.MakeRaw(in)
	if err != nil {
		return nil, nil, err
	}
	t.Terminal, t.Termios = in, old.Bytes()
	sizes, stop := resizes(in)
	t.Resize = sizes
	return t, sync.OnceFunc(func() {
		stop()
		_ = old.Restore()
	}), nil
}

// resizes tells each new size of the terminal until stop is called.
func resizes(f *os.File) (sizes <-chan [2]uint16, stop func()) {
	changed, off := term.Resized()
	out := make(chan [2]uint16)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-changed:
			}
			width, height, err := term.Size(f)
			if err != nil {
				continue
			}
			select {
			case out <- [2]uint16{height, width}:
			case <-done:
				return
			}
		}
	}()
	return out, func() { off(); close(done) }
}

type followOptions struct {
	proxy   bool
	restore func()
}

// follow copies the streams to the end of the process and makes its exit code ours.
func follow(ctx context.Context, s *containers.Service, r *containers.Running, t *containers.Streams, o followOptions) error {
	defer r.Close() // a connection that was read to its end
	ctx = context.WithoutCancel(ctx)
	if o.proxy {
		defer proxySignals(func(sig unix.Signal) { _ = s.Signal(ctx, r.ID, sig) })()
	}
	exit, err := r.Wait(ctx, t)
	o.restore()
	r.Restored()
	if errors.Is(err, containers.ErrDetached) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.Done(ctx); err != nil {
		return err
	}
	return exitCode(exit)
}

// exitCode hands on the code of a container's process, in silence.
func exitCode(exit define.Exit) error {
	if exit.Code == 0 {
		return nil
	}
	return errs.WithExit(nil, exit.Code)
}

// proxySignals hands every signal that this process gets on to send, until the returned function is called. The process
// is expected to end soon after: the signals stay caught, since each that is caught or let go costs a switch of threads,
// 30 µs. For the same reason those that matter from the first moment are caught here and the rest beside what follows.
func proxySignals(send func(unix.Signal)) (stop func()) {
	caught := make(chan os.Signal, 64)
	signal.Reset(os.Interrupt, unix.SIGTERM)
	signal.Notify(caught, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	go signal.Notify(caught)
	var stopped atomic.Bool
	go func() {
		for sig := range caught {
			switch n, _ := sig.(unix.Signal); n {
			case unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG, unix.SIGWINCH, unix.SIGTTIN, unix.SIGTTOU:
			default:
				if !stopped.Load() {
					send(n)
				}
			}
		}
	}()
	return func() { stopped.Store(true) }
}

// NewAttach makes "hull attach".
func NewAttach(d Deps) *cobra.Command {
	var p pick
	var noStdin, proxy bool
	var keys string
	cmd := &cobra.Command{
		Use: "attach [options] CONTAINER", Short: "Attach to a running container",
		Example: "  hull attach web\n  hull attach --no-stdin --latest", Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		ref, _, err := p.one(ctx, e, args)
		if err != nil {
			return err
		}
		c, err := e.Containers.Lookup(ctx, ref)
		if err != nil {
			return err
		}
		t, restore, err := openStreams(d, attached{!noStdin, true, true}, c.Config.Options.TTY, keys)
		if err != nil {
			return err
		}
		defer restore()
		r, err := e.Containers.Attach(ctx, ref, t)
		if err != nil {
			return err
		}
		err = follow(ctx, e.Containers, r, t, followOptions{proxy: proxy, restore: restore})
		if err != nil && err.Error() == "" {
			return nil // the exit code of the container is not attach's, as podman has it
		}
		return err
	}
	fs := cmd.Flags()
	p.addLatest(fs)
	fs.BoolVar(&noStdin, "no-stdin", false, "Do not attach STDIN")
	fs.BoolVar(&proxy, "sig-proxy", true, "Proxy received signals to the process")
	fs.StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container")
	return cmd
}

// NewExec makes "hull exec".
func NewExec(d Deps) *cobra.Command {
	var p pick
	var o define.ExecOptions
	var env, envFiles []string
	var preserveFDs uint
	var preserveFD []uint
	var detach bool
	cmd := &cobra.Command{
		Use: "exec [options] CONTAINER COMMAND [ARG...]", Short: "Run a process in a running container",
		Example: "  hull exec web ls\n  hull exec -it web sh",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		alone()
		ctx := cmd.Context()
		if o.NoSession && detach {
			return errs.WithHint(errs.Invalid("--no-session and --detach cannot be used together"), "the id of a detached process is that of its session")
		}
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		e.Prepare(ctx)
		if len(p.cidFile) > 0 {
			refs, err := p.refs(ctx, e, nil, nil)
			if err != nil {
				return err
			}
			args = append(refs[:1:1], args...)
		}
		ref, command, err := p.one(ctx, e, args)
		if err != nil {
			return err
		}
		if len(command) == 0 {
			return errs.WithHint(errs.Invalid("no command for exec"), "give one behind the container: hull exec %s COMMAND", ref)
		}
		o.Command = command
		if o.Env, err = execEnv(env, envFiles); err != nil {
			return err
		}
		if o.PreserveFDs, err = execFDs(preserveFDs, preserveFD); err != nil {
			return err
		}
		return exec(ctx, d, e.Containers, ref, o, detach)
	}
	ownFlags(cmd)
	fs := cmd.Flags()
	p.addLatest(fs)
	p.addCIDFile(fs)
	fs.BoolVarP(&detach, "detach", "d", false, "Run the exec session in detached mode (backgrounded)")
	fs.BoolVar(&o.NoSession, "no-session", false, "Do not record the process as a session of the container")
	fs.StringVar(&o.DetachKeys, "detach-keys", "ctrl-p,ctrl-q", "Select the key sequence for detaching a container")
	lists.Var(fs, &env, "env", "e", "Set environment variables")
	lists.Var(fs, &envFiles, "env-file", "", "Read in a file of environment variables")
	fs.BoolVarP(&o.Interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	fs.BoolVarP(&o.TTY, "tty", "t", false, "Allocate a pseudo-TTY")
	fs.BoolVar(&o.Privileged, "privileged", false, "Give the process extended Linux capabilities inside the container")
	fs.StringVarP(&o.User, "user", "u", "", "Sets the username or UID used and optionally the groupname or GID for the specified command")
	fs.StringVarP(&o.Workdir, "workdir", "w", "", "Working directory inside the container")
	fs.UintVar(&preserveFDs, "preserve-fds", 0, "Pass N additional file descriptors to the container")
	fs.UintSliceVar(&preserveFD, "preserve-fd", nil, "Pass a list of additional file descriptors to the container")
	return cmd
}

// exitExec is podman's code for an exec in the foreground that a container which is there refuses.
const exitExec = 255

func exec(ctx context.Context, d Deps, s *containers.Service, ref string, o define.ExecOptions, detach bool) error {
	if detach {
		r, err := s.Exec(ctx, ref, o, nil)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(d.Streams.Out, r.ID)
		return errors.Join(err, r.Close())
	}
	t, restore, err := openStreams(d, attached{o.Interactive, true, true}, o.TTY, o.DetachKeys)
	if err != nil {
		return err
	}
	defer restore()
	r, err := s.Exec(ctx, ref, o, t)
	if err != nil && errs.Exit(err) == errs.ExitEngine && !errs.IsNotFound(err) {
		return errs.WithExit(err, exitExec)
	}
	if err != nil {
		return err
	}
	defer r.Close() // a connection that was read to its end
	exit, err := r.Wait(ctx, t)
	restore()
	r.Restored()
	if errors.Is(err, containers.ErrDetached) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.Done(ctx); err != nil {
		return err
	}
	return exitCode(exit)
}
