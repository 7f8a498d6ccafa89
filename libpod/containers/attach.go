package containers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/pkg/errs"
)

// Streams are the ends of a container's stdio at the caller; a nil one is not attached.
type Streams struct {
	Stdin      io.Reader
	Stdout     io.Writer
	Stderr     io.Writer
	DetachKeys string

	Terminal *os.File         // the caller's, in raw mode; the monitor puts it back if the caller dies
	Termios  []byte           // what to put it back to
	Size     [2]uint16        // height, width at the start
	Resize   <-chan [2]uint16 // height, width

	Stdio [3]*os.File // the caller's own, for the log driver passthrough
}

// ErrDetached means that the user typed the detach keys: the container goes on.
var ErrDetached = monitor.ErrDetached

func (t *Streams) hello(c *define.ContainerConfig) protocol.Hello {
	return protocol.Hello{Stdin: t.Stdin != nil && c.Options.Interactive, Stdout: t.Stdout != nil, Stderr: t.Stderr != nil}
}

// ask writes into a request what the streams want. Without streams nobody is attached.
func (t *Streams) ask(r *protocol.Request) {
	if t == nil {
		return
	}
	r.OwnerCleans = true
	r.AttachStdin, r.AttachStdout, r.AttachStderr = t.Stdin != nil, t.Stdout != nil, t.Stderr != nil
	r.Height, r.Width = int64(t.Size[0]), int64(t.Size[1])
}

// files are the descriptors that go to the monitor.
func (t *Streams) files(preserve []uint, driver string) (f monitor.Files) {
	for _, fd := range preserve {
		f.Extra = append(f.Extra, os.NewFile(uintptr(fd), fmt.Sprintf("fd %d", fd)))
	}
	if driver == protocol.LogPassthrough && t != nil {
		f.Stdio = t.Stdio
	}
	return f
}

// Wait copies the streams until the process has ended, and says how it ended.
func (r *Running) Wait(ctx context.Context, t *Streams) (define.Exit, error) {
	return attach(ctx, r.session, t)
}

func attach(ctx context.Context, session *monitor.Session, t *Streams) (define.Exit, error) {
	if t.Terminal != nil {
		if err := session.Terminal(t.Terminal, t.Termios); err != nil {
			return define.Exit{}, err
		}
	}
	exit, err := session.Attach(ctx, monitor.Streams{
		Stdin: t.Stdin, Stdout: t.Stdout, Stderr: t.Stderr, DetachKeys: t.DetachKeys, Resize: t.Resize,
	})
	if errors.Is(err, monitor.ErrDetached) {
		return exit, errors.Join(err, session.Detach())
	}
	if errors.Is(err, monitor.ErrGone) {
		err = errs.WithHint(errors.New("the container's monitor was killed; how the container ends is not known"), "hull ps --all shows its state")
	}
	return exit, err
}

// Restored says that the caller has put its terminal back.
func (r *Running) Restored() {
	if r.session != nil {
		_ = r.session.Restored() // a monitor that is gone has no terminal to put back
	}
}

// Close lets go of the monitor.
func (r *Running) Close() error {
	if r.session == nil {
		return nil
	}
	return r.session.Close()
}

// Attach connects to a container that runs.
func (s *Service) Attach(ctx context.Context, ref string, t *Streams) (*Running, error) {
	c, err := s.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	if c.PID == 0 && c.Status != define.StatusRestarting {
		return nil, errs.WithHint(errs.Conflict("you can only attach to running containers: %q is %s", c.Config.Name, c.Status), "hull start --attach %s", c.Config.Name)
	}
	session, err := monitor.Attach(ctx, s.dir(c.Config.ID), t.hello(&c.Config))
	if err != nil {
		return nil, explain("attach to", &c.Config, err)
	}
	if t.Size != [2]uint16{} {
		if err := session.Resize(t.Size[0], t.Size[1]); err != nil {
			return nil, err
		}
	}
	s.event(&c.Config, "attach", nil)
	return &Running{ID: c.Config.ID, Config: c.Config, service: s, session: session}, nil
}
