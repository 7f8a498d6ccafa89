package containers

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
)

// A process is dead for some milliseconds before its monitor has its exit code: while the runtime that started it is still
// about to end it is that one's zombie. Until then its code is not 0 but unknown, unless the monitor is dead too.
func TestProcessEndsBeforeItsMonitorKnows(t *testing.T) {
	gone := glance{Status: protocol.Status{State: protocol.StateRunning, PID: 1 << 30, PIDStart: 1, MonitorPID: 7}}
	if c := stateOf(&state.Life{}, &state.Run{}, gone); c.Status.Alive() || c.Exit.Code != lostCode || c.Monitor != 0 {
		t.Errorf("without a monitor it is %s, code %d, monitor %d", c.Status, c.Exit.Code, c.Monitor)
	}
	gone.watched = true
	if c := stateOf(&state.Life{}, &state.Run{}, gone); c.Status != define.StatusStopping || c.PID != 0 || c.Monitor != 7 {
		t.Errorf("with a monitor it is %s, pid %d, monitor %d", c.Status, c.PID, c.Monitor)
	}
	removed := stateOf(&state.Life{Intent: state.IntentRemove}, &state.Run{}, gone)
	if removed.Status != define.StatusRemoving {
		t.Errorf("one that is being removed is %s", removed.Status)
	}
}

func TestLookAtAMonitor(t *testing.T) {
	dir := t.TempDir()
	running := protocol.Status{State: protocol.StateRunning, PID: 1 << 30, PIDStart: 1}
	if err := os.WriteFile(filepath.Join(dir, protocol.StatusFile), running.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	if g := look(dir); g.err != nil || g.lives || g.watched {
		t.Errorf("a dead monitor: %+v", g)
	}
	lock, err := os.Create(filepath.Join(dir, protocol.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if g := look(dir); g.err != nil || g.lives || !g.watched {
		t.Errorf("a monitor that has yet to tell: %+v", g)
	}
	running.PID, running.PIDStart = int64(os.Getpid()), 0
	if err := os.WriteFile(filepath.Join(dir, protocol.StatusFile), running.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	if g := look(dir); g.err != nil || !g.lives {
		t.Errorf("a process that lives: %+v", g)
	}
}
