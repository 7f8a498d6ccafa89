package containers

import (
	"context"
	"errors"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/pidfd"
)

// Stop stops a container: its stop signal, then SIGKILL when the timeout is over. One that does not run is fine.
func (s *Service) Stop(ctx context.Context, ref string, o define.StopOptions) error {
	err := s.withLocked(ctx, ref, func(c *locked) error { return s.stop(ctx, c, o) })
	if o.Ignore && isNotFound(err) {
		return nil
	}
	return err
}

// stop stops c and cleans up.
func (s *Service) stop(ctx context.Context, c *locked, o define.StopOptions) error {
	if c.run == nil {
		return nil
	}
	c.run.Intent = state.IntentStop
	if err := s.State.PutRun(ctx, c.run); err != nil {
		return err
	}
	failpoint.Hit("stop/intended")
	// From here on the restart policy is off; a monitor that is gone has none.
	session, err := monitor.NoRestart(s.dir(c.id()))
	if err == nil {
		defer session.Close() // nothing was left to be written
	}
	failpoint.Hit("stop/norestart")
	timeout := c.Config.Options.StopTimeout
	if o.Timeout != nil {
		timeout = *o.Timeout
	}
	if err := s.end(ctx, c, time.Duration(timeout)*time.Second); err != nil {
		return explain("stop", &c.Config, err)
	}
	failpoint.Hit("stop/ended")
	exit := lostExit()
	if m, err := protocol.ReadStatus(s.dir(c.id())); err == nil && m.State == protocol.StateExited {
		exit = exitOf(m)
	}
	if err := s.release(ctx, c, &exit); err != nil {
		return explain("clean up after", &c.Config, err)
	}
	if session != nil {
		_ = session.Cleaned() // else the monitor finds nothing to clean
	}
	s.event(&c.Config, "stop", nil)
	if c.Config.Options.Remove {
		return s.remove(ctx, c, true)
	}
	return nil
}

// end signals until there is no process: the stop signal, after timeout SIGKILL to all.
func (s *Service) end(ctx context.Context, c *locked, timeout time.Duration) error {
	if err := s.takeStartBack(c.id()); err != nil {
		return err
	}
	if c.run.Initialized {
		timeout = 0 // its process only waits to be started, and heeds no signal
	}
	if timeout > 0 {
		if err := s.signal(ctx, c, unix.Signal(c.Config.StopSignal), false); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, timeout)
		err := s.waitEnd(wait, c.id())
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err
		}
		s.Warn("container " + c.Config.Name + " did not end by its stop signal within " + timeout.String() + ": killing it")
	}
	if err := s.signal(ctx, c, unix.SIGKILL, false); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.waitEnd(wait, c.id())
}

// takeStartBack tells a monitor that has no process yet to give the start up: its runtime hangs, or whoever started it
// died meanwhile. The pid is the monitor's for as long as it holds its lock.
func (s *Service) takeStartBack(id string) error {
	m, err := protocol.ReadStatus(s.dir(id))
	if err != nil || m.State != protocol.StateStarting || m.MonitorPID < 2 {
		return nil //nolint:nilerr // there is none to tell
	}
	return pidfd.Signal(int(m.MonitorPID), unix.SIGTERM, func() (bool, error) { return protocol.Alive(s.dir(id)) })
}

// signal sends a signal to the container's first process. The pid is the one that the monitor wrote, checked by its number or
// start time, so no runtime has to be executed for it; a process that is gone is fine.
func (s *Service) signal(_ context.Context, c *locked, sig unix.Signal, _ bool) error {
	m, err := protocol.ReadStatus(s.dir(c.id()))
	if err != nil || m.PID == 0 {
		return nil //nolint:nilerr // it has no process yet, or none any more
	}
	return pidfd.Signal(int(m.PID), sig, func() (bool, error) { return mainLives(&m), nil })
}

// Kill sends a signal to a container that runs.
func (s *Service) Kill(ctx context.Context, ref string, sig unix.Signal) error {
	return s.withLocked(ctx, ref, func(c *locked) error {
		if c.run == nil {
			return errs.WithHint(errs.Conflict("container %q does not run: it is %s", c.Config.Name, s.view(c.Container, nil).Status), "hull ps lists those that do")
		}
		if sig == unix.SIGKILL || sig == unix.SIGTERM {
			if session, err := monitor.NoRestart(s.dir(c.id())); err == nil {
				defer session.Close() // nothing was left to be written
			}
		}
		failpoint.Hit("kill/signal")
		if err := s.signal(ctx, c, sig, false); err != nil {
			return explain("kill", &c.Config, err)
		}
		s.event(&c.Config, "kill", nil)
		return nil
	})
}

// Restart stops a container that runs and starts it.
func (s *Service) Restart(ctx context.Context, ref string, timeout *uint) error {
	return s.withLocked(ctx, ref, func(c *locked) error {
		if c.run != nil {
			keep := c.Config.Options.Remove
			c.Config.Options.Remove = false // --rm does not come between
			err := s.stop(ctx, c, define.StopOptions{Timeout: timeout})
			c.Config.Options.Remove = keep
			if err != nil {
				return err
			}
		}
		failpoint.Hit("restart/stopped")
		r, err := s.start(ctx, c, StartOptions{})
		if err != nil {
			return err
		}
		s.event(&c.Config, "restart", nil)
		return r.Close()
	})
}

// Remove removes a container. One that runs is an error of class Conflict without Force.
func (s *Service) Remove(ctx context.Context, ref string, o define.RemoveOptions) error {
	if o.Depend {
		if err := s.removeDependents(ctx, ref, o); err != nil {
			return err
		}
	}
	err := s.withLocked(ctx, ref, func(c *locked) error {
		if err := s.removable(ctx, c, o); err != nil {
			return err
		}
		if c.run != nil {
			c.Config.Options.Remove = false // this removal is ours to do
			if err := s.intendRemoval(ctx, c, o.Volumes); err != nil {
				return err
			}
			if err := s.stop(ctx, c, define.StopOptions{Timeout: o.Timeout}); err != nil {
				return err
			}
		}
		return s.remove(ctx, c, o.Volumes)
	})
	if (o.Ignore || o.Force) && isNotFound(err) {
		return nil
	}
	return err
}

func (s *Service) removable(ctx context.Context, c *locked, o define.RemoveOptions) error {
	dependents, err := s.State.Dependents(ctx, c.id())
	if err != nil {
		return err
	}
	if len(dependents) > 0 {
		return errs.WithHint(errs.Conflict("container %q has dependent containers which must be removed before it: %s", c.Config.Name, shortAll(dependents)),
			"hull rm --depend %s removes them too", c.Config.Name)
	}
	if c.run == nil || o.Force {
		return nil
	}
	v := s.view(c.Container, c.run)
	if v.Status == define.StatusInitialized { // nothing of its own runs
		return nil
	}
	return errs.WithHint(errs.Conflict("cannot remove container %q as it is %s", c.Config.Name, v.Status),
		"hull stop %s first, or hull rm --force %s", c.Config.Name, c.Config.Name)
}

func shortAll(ids []string) string {
	text := ""
	for i, id := range ids {
		if i > 0 {
			text += ", "
		}
		text += short(id)
	}
	return text
}

func (s *Service) removeDependents(ctx context.Context, ref string, o define.RemoveOptions) error {
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return nil //nolint:nilerr // told by the removal itself
	}
	ids, err := s.State.Dependents(ctx, row.Config.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		switch err := s.Remove(ctx, id, o); {
		case errdefs.IsNotFound(err):
		case err != nil:
			return err
		case o.Gone != nil:
			o.Gone(id)
		}
	}
	return nil
}

// remove takes a container that does not run away. The lock goes with it.
func (s *Service) remove(ctx context.Context, c *locked, volumes bool) error {
	if c.run != nil { // a create or removal that died while it ran
		if err := s.killAndRelease(ctx, c); err != nil {
			return err
		}
	}
	if err := s.intendRemoval(ctx, c, volumes); err != nil {
		return err
	}
	failpoint.Hit("rm/intended")
	if err := s.dismantle(ctx, c); err != nil {
		return explain("remove", &c.Config, err)
	}
	s.event(&c.Config, "remove", nil)
	if c.Config.Options.RemoveImage && c.Config.ImageID != "" {
		return s.Images.RemoveUnused(ctx, c.Config.ImageID)
	}
	return nil
}

// intendRemoval writes down that the container is to go, if that is not written yet.
func (s *Service) intendRemoval(ctx context.Context, c *locked, volumes bool) error {
	if c.Intent != state.IntentNone {
		return nil
	}
	c.Intent = state.IntentRemove
	if volumes {
		c.Intent = state.IntentRemoveVolumes
	}
	return s.State.SetIntent(ctx, &c.Config, c.Intent)
}

func (s *Service) killAndRelease(ctx context.Context, c *locked) error {
	if session, err := monitor.NoRestart(s.dir(c.id())); err == nil {
		defer session.Close() // nothing was left to be written
	}
	if err := s.end(ctx, c, 0); err != nil {
		return err
	}
	return s.release(ctx, c, nil)
}

// Rename gives a container another name.
func (s *Service) Rename(ctx context.Context, ref, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return s.withLocked(ctx, ref, func(c *locked) error {
		failpoint.Hit("rename/before")
		err := s.State.Rename(ctx, c.id(), name)
		if errdefs.IsAlreadyExists(err) {
			return s.explainTaken(ctx, name, err)
		}
		if err != nil {
			return err
		}
		failpoint.Hit("rename/after")
		c.Config.Name = name
		s.event(&c.Config, "rename", nil)
		return nil
	})
}

// Signal hands a signal on to a container's process, as Kill, without the lock: the caller is attached and sees the end.
func (s *Service) Signal(ctx context.Context, id string, sig unix.Signal) error {
	row, err := s.State.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.signal(ctx, &locked{Container: row}, sig, false)
}
