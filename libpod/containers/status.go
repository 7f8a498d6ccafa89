package containers

import (
	"context"
	"errors"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/pidfd"
)

// view is the container of a row and its run.
func (s *Service) view(row *state.Container, run *state.Run) *define.Container {
	return s.seen(row, run, s.lookAt(run))
}

func (s *Service) seen(row *state.Container, run *state.Run, g glance) *define.Container {
	id := row.Config.ID
	return &define.Container{Config: row.Config, ContainerState: stateOf(&row.Life, run, g), Dir: s.dir(id), StaticDir: s.staticDir(id)}
}

// glance is what is seen of a container's process: what its monitor wrote last, and whether there is such a process.
type glance struct {
	protocol.Status
	err     error // there is no status: the start has not come to the monitor, or its end has been cleaned up
	lives   bool
	watched bool // there is no such process, not now or not any more, and the monitor lives
}

// lookAt is look for a run; without one there is no status.
func (s *Service) lookAt(run *state.Run) glance {
	if run == nil {
		return glance{err: os.ErrNotExist}
	}
	return look(s.dir(run.ID))
}

// look reads the status in a container's folder, once more when its monitor turns out to be dead: that may have written the end,
// and ended, since.
func look(dir string) (g glance) {
	if g.Status, g.err = protocol.ReadStatus(dir); g.err != nil || g.State == protocol.StateExited {
		return g
	}
	if g.lives = g.hasProcess() && mainLives(&g.Status); g.lives {
		return g
	}
	if g.watched, _ = protocol.Alive(dir); !g.watched {
		g.Status, g.err = protocol.ReadStatus(dir)
	}
	return g
}

func (g *glance) hasProcess() bool {
	return g.State == protocol.StateCreated || g.State == protocol.StateRunning
}

// stateOf is what row, run and a glance at what runs come to.
func stateOf(row *state.Life, run *state.Run, g glance) define.ContainerState {
	c := define.ContainerState{
		Status: define.StatusExited, Intent: row.Intent, Started: row.Started, Exit: row.Exit,
	}
	if row.Started.IsZero() {
		c.Status = define.StatusCreated
	}
	if row.Intent == state.IntentRemove || row.Intent == state.IntentRemoveVolumes {
		c.Status = define.StatusRemoving
	}
	if run == nil {
		return c
	}
	c.Mount, c.NetNS, c.IPs, c.Networks = run.Mount, run.NetNS, run.IPs, networksOf(run.Joins)
	if g.err != nil {
		return c
	}
	c.Monitor, c.Restarts = int(g.MonitorPID), int(g.Restarts)
	switch {
	case g.hasProcess():
		viewProcess(&c, run, g)
	case g.State == protocol.StateRestarting:
		c.Status = define.StatusRestarting
	case g.State == protocol.StateExited:
		c.Monitor = 0
		c.Exit = exitOf(g.Status)
		if c.Status != define.StatusRemoving {
			c.Status = define.StatusExited
		}
	}
	return c
}

// viewProcess is stateOf for a container whose monitor last wrote that it has a process.
func viewProcess(c *define.ContainerState, run *state.Run, g glance) {
	if !g.lives {
		switch {
		case !g.watched:
			c.Monitor, c.Exit = 0, lostExit()
		case c.Status != define.StatusRemoving:
			c.Status = define.StatusStopping // until the monitor, to whom the kernel or the runtime is about to tell it, has the exit code
		}
		return
	}
	c.PID = int(g.PID)
	switch {
	case run.Paused:
		c.Status = define.StatusPaused
	case run.Intent == state.IntentStop:
		c.Status = define.StatusStopping
	case run.Initialized:
		c.Status = define.StatusInitialized
	default:
		c.Status = define.StatusRunning
	}
	if !g.Started.IsZero() && !run.Initialized {
		c.Started = g.Started
	}
}

// lostExit is the end of a container whose monitor was killed: nobody could read its code.
func lostExit() define.Exit {
	return define.Exit{Code: lostCode, At: time.Now(), Error: "its monitor was killed, so that nobody could read its exit code"}
}

// lostCode is the exit code when none could be read.
const lostCode = 255

func exitOf(m protocol.Status) define.Exit {
	return define.Exit{Code: int(m.ExitCode), At: m.ExitedAt, OOM: m.OOM, Restarts: int(m.Restarts), Error: m.Error}
}

// mainLives reports whether the process that a monitor wrote of is there, and no zombie.
func mainLives(m *protocol.Status) bool {
	if lives, known := pidfd.Lives(int(m.PID), uint64(m.PIDNumber)); known {
		return lives
	}
	return processLives(int(m.PID), uint64(m.PIDStart))
}

// processLives reports whether pid is the process that started at start (protocol.Stat), or whichever if that is 0, and is no
// zombie.
func processLives(pid int, start uint64) bool {
	state, began, err := protocol.Stat(pid)
	if _, unread := errors.AsType[*os.PathError](err); unread {
		return !errors.Is(err, os.ErrNotExist) && pid > 0
	}
	return err == nil && state != "Z" && state != "X" && (began == start || start == 0)
}

// Lookup returns the container that ref names.
func (s *Service) Lookup(ctx context.Context, ref string) (*define.Container, error) {
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	run, err := s.State.GetRun(ctx, row.Config.ID)
	if err != nil {
		return nil, err
	}
	g := s.lookAt(run)
	if g.err == nil {
		return s.seen(row, run, g), nil
	}
	// The row may be from before the end of a run that has gone since, or has no status any more: either goes after that is written.
	if row, err = s.State.Lookup(ctx, row.Config.ID); err != nil {
		return nil, err
	}
	return s.seen(row, run, g), nil
}

// List returns the containers of the user, oldest first; all of them or those that are alive.
func (s *Service) List(ctx context.Context, all bool) ([]*define.ListedContainer, error) {
	runs, err := s.State.Runs(ctx)
	if err != nil {
		return nil, err
	}
	ids := slices.Collect(maps.Keys(runs))
	glances := s.lookAtAll(ids)
	var rows []*state.Listed
	if all {
		rows, err = s.State.List(ctx)
	} else {
		rows, err = s.State.Among(ctx, ids)
	}
	seen := glances()
	if err != nil {
		return nil, err
	}
	list := make([]*define.ListedContainer, 0, len(rows))
	for _, row := range rows {
		id := row.Config.ID
		if state := stateOf(&row.Life, runs[id], seen[id]); all || state.Status.Alive() {
			list = append(list, &define.ListedContainer{Config: row.Config, ContainerState: state})
		}
	}
	return list, nil
}

// lookAtAll begins to look at what these containers' processes do, on all processors but that of the caller, who has rows to
// read; it joins when it asks for what was seen. Of a hundred that run it is half of the time of ps.
func (s *Service) lookAtAll(ids []string) (wait func() map[string]glance) {
	seen := make([]glance, len(ids))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(ids)); i = next.Add(1) - 1 {
			seen[i] = look(s.dir(ids[i]))
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.NumCPU()-1, len(ids)/16) {
		wg.Go(work)
	}
	return func() map[string]glance {
		work()
		wg.Wait()
		all := make(map[string]glance, len(ids))
		for i, id := range ids {
			all[id] = seen[i]
		}
		return all
	}
}

// Latest returns the name of the container made last.
func (s *Service) Latest(ctx context.Context) (string, error) {
	row, err := s.State.Latest(ctx)
	if err != nil {
		return "", err
	}
	return row.Config.ID, nil
}

// Exists reports whether ref names a container.
func (s *Service) Exists(ctx context.Context, ref string) (bool, error) {
	_, err := s.State.Lookup(ctx, ref)
	if err != nil && isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
