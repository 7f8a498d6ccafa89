package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/ociruntime"
)

// mend brings a container whose lock we hold into a state that its row tells truly: it undoes a create, finishes a
// removal (and returns errGone), and cleans up after a run that has ended or never came to be.
func (s *Service) mend(ctx context.Context, c *locked) error {
	if err := s.mendStart(ctx, c); err != nil {
		return err
	}
	if c.Intent != state.IntentNone && (c.Intent != state.IntentRun || c.run == nil) { // what ran ends as any does
		if err := s.remove(ctx, c, c.Intent == state.IntentRemoveVolumes); err != nil {
			return explain("finish the removal of", &c.Config, err)
		}
		return errGone
	}
	if c.run == nil && c.Config.Options.Remove && !c.Started.IsZero() { // a reboot ended it
		if err := s.remove(ctx, c, true); err != nil {
			return explain("remove", &c.Config, err)
		}
		return errGone
	}
	if c.run == nil {
		return nil
	}
	exit, ended := s.ended(c)
	if !ended {
		return s.mendRunning(ctx, c)
	}
	gone := s.leave(ctx, c)
	if c.Config.Options.Remove { // intended first: then the layer goes while the runtime deletes
		c.Intent = state.IntentRemoveVolumes
		if exit != nil {
			c.Exit = *exit
		}
		if err := s.State.SetEnd(ctx, &c.Config, c.Intent, c.Exit); err != nil {
			return explain("remove", &c.Config, errors.Join(err, gone()))
		}
	}
	if err := s.finish(ctx, c, exit, gone); err != nil {
		return explain("clean up after", &c.Config, err)
	}
	if c.Config.Options.Remove {
		if err := s.remove(ctx, c, true); err != nil {
			return explain("remove", &c.Config, err)
		}
		return errGone
	}
	return nil
}

// mendRunning finishes a run --rm whose process is there, which had but to say so, and clears away sessions that died.
func (s *Service) mendRunning(ctx context.Context, c *locked) error {
	if c.Intent == state.IntentRun {
		if err := s.started(ctx, c); err != nil {
			return err
		}
	}
	return s.mendExecs(ctx, c)
}

// mendStart waits for the monitor of a start that died, if there is one, and takes away the folder of one that came to no row.
func (s *Service) mendStart(ctx context.Context, c *locked) error {
	idle := c.run == nil && c.Intent == state.IntentNone
	if idle && !exists(s.dir(c.id())) {
		return nil
	}
	if err := s.endUndelivered(ctx, c); err != nil || !idle {
		return err
	}
	return explain("clean up after", &c.Config, s.removeDir(c))
}

// endUndelivered waits for the monitor of a start that died before the runtime had its spec: it gives up by itself, as does
// its runtime. Its last act may be to have the runtime delete the container, which must not meet the next start's. We
// hold the lock, so nobody else will deliver.
func (s *Service) endUndelivered(ctx context.Context, c *locked) error {
	if c.run != nil && (c.run.Intent != state.IntentStart || !undelivered(s.dir(c.id()))) {
		return nil
	}
	const tick = 2 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		alive, err := protocol.Alive(s.dir(c.id()))
		if err != nil || !alive {
			return err
		}
		m, err := protocol.ReadStatus(s.dir(c.id()))
		if err == nil && m.State != protocol.StateStarting {
			return nil
		}
		if err := s.takeStartBack(c.id()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the monitor of a start that was killed: %w", context.Cause(ctx))
		case <-time.After(tick):
		}
	}
}

// undelivered reports whether the runtime of the container that runs in dir has not been given its spec.
func undelivered(dir string) bool {
	var st unix.Stat_t
	return unix.Lstat(filepath.Join(dir, protocol.SpecFile), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// ended reports whether a run is over, and how it ended; nil where there was never a process.
func (s *Service) ended(c *locked) (*define.Exit, bool) {
	g := look(s.dir(c.id()))
	switch {
	case g.err != nil: // no status yet: we hold the lock, so whoever was starting it is dead, unless the monitor is just coming up
		alive, _ := protocol.Alive(s.dir(c.id()))
		return nil, !alive
	case g.State == protocol.StateExited:
		exit := exitOf(g.Status)
		return &exit, true
	case !g.lives && !g.watched, g.hasProcess() && c.run.Intent == state.IntentCleanup:
		exit := lostExit()
		return &exit, true
	}
	return nil, false
}

// leave has the runtime forget a container whose run is over, and takes it off its network and its mounts away, beside what
// else a clean-up does: the runtime's delete is a process of its own, and the kernel takes its time for links and mounts.
// gone waits for all of it, c.unmounted for the layer alone.
func (s *Service) leave(ctx context.Context, c *locked) (gone func() error) {
	unmounted, beside := make(chan error, 1), make(chan error, 2)
	go func() { unmounted <- s.unmountLayer(ctx, c) }()
	c.unmounted = sync.OnceValue(func() error { return <-unmounted })
	go func() { beside <- s.deleteInRuntime(ctx, c) }()
	go func() { beside <- s.releaseNetwork(ctx, c) }()
	return sync.OnceValue(func() error { return errors.Join(c.unmounted(), <-beside, <-beside) })
}

// release gives back what a run held and writes down how it ended. Each step is content with what is gone already.
func (s *Service) release(ctx context.Context, c *locked, exit *define.Exit) error {
	return s.finish(ctx, c, exit, s.leave(ctx, c))
}

// finish is release after leave, whose wait is gone.
func (s *Service) finish(ctx context.Context, c *locked, exit *define.Exit, gone func() error) error {
	defer func() { _ = gone() }()
	if c.Intent == state.IntentNone { // a removal says enough
		c.run.Intent = state.IntentCleanup
		if err := s.State.PutRun(ctx, c.run); err != nil {
			return err
		}
	}
	failpoint.Hit("cleanup/intended")
	if exit != nil && c.Exit != *exit {
		c.Exit = *exit
		if err := s.State.SetExit(ctx, c.id(), *exit); err != nil {
			return err
		}
	}
	failpoint.Hit("cleanup/exit")
	if err := s.releaseLayer(ctx, c); err != nil {
		return err
	}
	if err := gone(); err != nil {
		return err
	}
	failpoint.Hit("cleanup/released")
	if err := s.removeOverlays(&c.Config); err != nil {
		return err
	}
	if err := s.removeDir(c); err != nil {
		return err
	}
	failpoint.Hit("cleanup/folder")
	if err := s.State.RemoveRun(ctx, c.id()); err != nil {
		return err
	}
	c.run = nil
	if exit != nil {
		s.event(&c.Config, "died", &exit.Code)
	}
	s.event(&c.Config, "cleanup", nil)
	return nil
}

// deleteInRuntime has the runtime forget the container. One that is not installed any more keeps nobody from removing what
// it made: no process is left of it.
func (s *Service) deleteInRuntime(ctx context.Context, c *locked) error {
	runtime, err := s.runtime(&c.Config)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := runtime.Delete(ctx, c.id()); err != nil || c.Config.Options.Cgroups == "disabled" {
		return err
	}
	return ociruntime.RemoveCgroup(ctx, ocispec.CgroupPath(c.id(), &c.Config.Options))
}

// releaseNetwork ends the uplink, or takes the container off its networks, and then the namespace away.
func (s *Service) releaseNetwork(ctx context.Context, c *locked) error {
	for _, p := range c.run.Helpers {
		if processLives(p.PID, p.Start) {
			if err := unix.Kill(p.PID, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("end the uplink: %w", err)
			}
		}
	}
	if err := s.detach(ctx, c); err != nil {
		return err
	}
	failpoint.Hit("cleanup/detached")
	if c.run.NetNS != "" {
		if err := netns.Remove(c.run.NetNS); err != nil {
			return err
		}
	}
	failpoint.Hit("cleanup/network")
	return nil
}

func (s *Service) unmountLayer(ctx context.Context, c *locked) error {
	if !layered(&c.Config) {
		return nil
	}
	return s.Layers.Unmount(ctx, c.id())
}

// releaseLayer waits for the unmount, and takes the whole layer away when the container is to go, or when it is of this run.
func (s *Service) releaseLayer(ctx context.Context, c *locked) error {
	if err := c.unmounted(); err != nil || c.Intent == state.IntentNone && !c.Config.Options.RootfsOverlay {
		return err
	}
	return s.deleteLayer(ctx, c)
}

// removeDir takes the runtime directory of a container away, with what is mounted in it.
func (s *Service) removeDir(c *locked) error {
	id := c.id()
	for _, path := range []string{s.dir(id) + "/shm", s.usernsPath(id)} {
		err := unix.Unmount(path, unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %q: %w", path, err)
		}
	}
	if c.aside {
		return cleanup.Aside(s.dir(id), s.goneDirs())
	}
	return errors.Join(os.RemoveAll(filepath.Join(s.goneDirs(), id)), os.RemoveAll(s.dir(id)))
}

// mendUnfinished looks after the rows that a dead process left with an intent. Rows whose lock is held are left to who
// holds it. It costs one look at an index.
func (s *Service) mendUnfinished(ctx context.Context) error {
	ids, err := s.State.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.mendOne(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) mendOne(ctx context.Context, id string) error {
	l, err := s.locks().TryLock(id)
	if errors.Is(err, lockfile.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.Unlock()
	c, err := s.reread(ctx, id, l)
	if isNotFound(err) {
		l.Remove()
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.mend(ctx, c); err != nil && !errors.Is(err, errGone) {
		return err
	}
	return nil
}

// cleanUp is Cleanup by id; remove takes the container too. With aside files may be left to the monitor. One that runs is left alone,
// which it reports.
func (s *Service) cleanUp(ctx context.Context, id string, remove, aside bool) (runs bool, err error) {
	l, err := s.lock(ctx, id)
	if err != nil {
		return false, err
	}
	defer l.lock.Unlock()
	l.aside = aside
	err = s.mend(ctx, l)
	switch {
	case errors.Is(err, errGone):
		return false, nil
	case err != nil:
		return false, err
	case l.run != nil:
		return true, nil
	case remove:
		return false, s.remove(ctx, l, true)
	}
	return false, nil
}

// Done is called by who was attached to a container to its end: it cleans up in the monitor's stead, which saves a
// process, and removes what was run with --rm. Files that are nobody's any more are left to the monitor, which is the last.
func (r *Running) Done(ctx context.Context) error {
	undo, cancel := cleanup.Context(ctx)
	defer cancel()
	_, err := r.service.cleanUp(undo, r.ID, false, r.session != nil) // somebody may have started it again
	if isNotFound(err) {
		err = nil
	}
	if r.session != nil {
		err = errors.Join(err, r.session.Cleaned())
	}
	return err
}

// waitEnd waits until the container's run is over, by its process and then by the monitor's word.
func (s *Service) waitEnd(ctx context.Context, id string) error {
	for {
		m, err := protocol.ReadStatus(s.dir(id))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		alive, _ := protocol.Alive(s.dir(id))
		if m.State == protocol.StateExited || !alive && !mainLives(&m) {
			return nil
		}
		if m.State == protocol.StateRestarting { // there is no process to wait for
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		if err := waitProcess(ctx, int(m.PID), uint64(m.PIDStart)); err != nil {
			return err
		}
	}
}

// waitProcess returns when a process has ended, at the latest after 20 ms where it has no pidfd any more: the monitor
// is then about to write its status.
func waitProcess(ctx context.Context, pid int, start uint64) error {
	const tick = 20 * time.Millisecond
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil || !processLives(pid, start) {
		if err == nil {
			_ = unix.Close(fd)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
			return nil
		}
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(tick.Milliseconds()))
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("poll", err)
		}
	}
	return context.Cause(ctx)
}

// exitCode is the code in the monitor's status, once the run is over.
func (s *Service) exitCode(id string) (int, bool) {
	m, err := protocol.ReadStatus(s.dir(id))
	return int(m.ExitCode), err == nil && m.State == protocol.StateExited
}
