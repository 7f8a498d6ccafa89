package containers

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
)

// view is the container of a row and its run.
func (s *Service) view(row *state.Container, run *state.Run) *define.Container {
	return &define.Container{Config: row.Config, ContainerState: s.stateOf(row.Config.ID, &row.Life, run)}
}

// stateOf is what row, run and the monitor's status file come to.
func (s *Service) stateOf(id string, row *state.Life, run *state.Run) define.ContainerState {
	c := define.ContainerState{
		Status: define.StatusExited, Intent: row.Intent, Started: row.Started, Exit: row.Exit,
		Dir: s.dir(id), StaticDir: s.staticDir(id),
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
	m, err := protocol.ReadStatus(c.Dir)
	if err != nil {
		return c // the start has not come to the monitor, or its end has been cleaned up
	}
	c.Monitor, c.Restarts = int(m.MonitorPID), int(m.Restarts)
	switch m.State {
	case protocol.StateCreated, protocol.StateRunning:
		viewProcess(&c, run, m)
	case protocol.StateRestarting:
		c.Status = define.StatusRestarting
	case protocol.StateExited:
		c.Monitor = 0
		c.Exit = exitOf(m)
		if c.Status != define.StatusRemoving {
			c.Status = define.StatusExited
		}
	}
	return c
}

// viewProcess is stateOf for a container whose monitor last wrote that it has a process.
func viewProcess(c *define.ContainerState, run *state.Run, m protocol.Status) {
	if !processLives(int(m.PID), uint64(m.PIDStart)) {
		c.Monitor = 0
		if alive, _ := protocol.Alive(c.Dir); !alive {
			c.Exit = lostExit()
		}
		return
	}
	c.PID = int(m.PID)
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
	if !m.Started.IsZero() && !run.Initialized {
		c.Started = m.Started
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

// processLives reports whether pid is the process that started at start (field 22 of /proc/PID/stat, proc(5)) and is no
// zombie.
func processLives(pid int, start uint64) bool {
	data, err := protocol.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) && pid > 0
	}
	text := string(data)
	n := 1 // of the field before
	for field := range strings.FieldsSeq(text[max(0, strings.LastIndexByte(text, ')')):]) {
		switch n++; {
		case n == 3 && (field == "Z" || field == "X"):
			return false
		case n == 22:
			ticks, err := strconv.ParseUint(field, 10, 64)
			return err == nil && (ticks == start || start == 0)
		}
	}
	return false
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
	return s.view(row, run), nil
}

// List returns the containers of the user, oldest first; all of them or those that are alive.
func (s *Service) List(ctx context.Context, all bool) ([]*define.ListedContainer, error) {
	runs, err := s.State.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*state.Listed
	if all {
		rows, err = s.State.List(ctx)
	} else {
		ids := make([]string, 0, len(runs))
		for id := range runs {
			ids = append(ids, id)
		}
		rows, err = s.State.Among(ctx, ids)
	}
	if err != nil {
		return nil, err
	}
	list := make([]*define.ListedContainer, 0, len(rows))
	for i, state := range s.statesOf(rows, runs) {
		if all || state.Status.Alive() {
			list = append(list, &define.ListedContainer{Config: rows[i].Config, ContainerState: state})
		}
	}
	return list, nil
}

// statesOf is stateOf for each row. What a running container's files and process say is read on all processors: with a
// hundred of them it is half of the time of ps.
func (s *Service) statesOf(rows []*state.Listed, runs map[string]*state.Run) []define.ContainerState {
	states := make([]define.ContainerState, len(rows))
	part := max(16, (len(rows)+runtime.NumCPU()-1)/runtime.NumCPU())
	var wg sync.WaitGroup
	for from := 0; from < len(rows); from += part {
		wg.Go(func() {
			for i := from; i < min(from+part, len(rows)); i++ {
				states[i] = s.stateOf(rows[i].Config.ID, &rows[i].Life, runs[rows[i].Config.ID])
			}
		})
	}
	wg.Wait()
	return states
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
