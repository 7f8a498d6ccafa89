package containers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/lockfile"
)

// Mend brings the container with this id into order, also one whose create did not end: what the next command that acts on
// it would do first. One that another command works on is left to it; one that is gone is fine.
func (s *Service) Mend(ctx context.Context, id string) error {
	if err := s.mendOne(ctx, id); err != nil {
		return err
	}
	l, err := s.locks().TryLock(id)
	if errors.Is(err, lockfile.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := s.reread(ctx, id, l)
	if isNotFound(err) {
		l.Remove()
		return nil
	}
	defer l.Unlock()
	if err != nil {
		return err
	}
	// It runs: the command that started it, or was about to stop it, was killed. What is true now is that it runs.
	if c.run == nil || c.run.Intent != state.IntentStart && c.run.Intent != state.IntentStop {
		return nil
	}
	c.run.Intent = state.IntentNone
	return s.State.PutRun(ctx, c.run)
}

// Locks are the locks of containers, by id.
func (s *Service) Locks() lockfile.Dir { return s.locks() }

// Unsettled says what the rows of a container tell of a command that was killed, or of a monitor that was; "" when all is
// well. The caller holds the container's lock: else a command may be at work on it. run is nil when it does not run.
func (s *Service) Unsettled(row *state.Container, run *state.Run, execs []*define.ExecSession) string {
	switch {
	case row.Intent == state.IntentCreate:
		return "its creation was not finished"
	case row.Intent == state.IntentRun && run == nil:
		return "it was to run and be removed, and was not started"
	case row.Intent != state.IntentNone && row.Intent != state.IntentRun:
		return "its removal was not finished"
	case run == nil && len(execs) > 0:
		return "it does not run and has an exec session"
	case run == nil:
		return ""
	}
	dir := s.dir(row.Config.ID)
	watched, _ := protocol.Alive(dir)
	if _, ended := s.ended(&locked{Container: row, run: run}); ended {
		if watched {
			return "" // the monitor's own clean-up comes
		}
		return "it has ended and was not cleaned up"
	}
	switch {
	case !watched:
		return "it runs and its monitor is gone, so that nobody will see its end"
	case run.Intent != "":
		return fmt.Sprintf("its %s was not finished", run.Intent)
	}
	for _, e := range execs {
		dir := s.execDir(row.Config.ID, e.ID)
		if alive, _ := protocol.Alive(dir); alive {
			continue
		}
		if _, err := protocol.ReadStatus(dir); err == nil || time.Since(e.Created) > execGrace {
			return fmt.Sprintf("its exec session %s has ended and was not cleaned up", short(e.ID))
		}
	}
	return ""
}
