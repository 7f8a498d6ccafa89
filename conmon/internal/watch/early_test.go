package watch

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/protocol"
)

// TestRuntimeDiesOfItsPIDFile: a runtime in the foreground ends with its write to the pid file, before it can wait for its child.
func TestRuntimeDiesOfItsPIDFile(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	m := &monitor{loop: l, early: early{pipe: -1, dir: -1, child: true}}
	if !m.expectPipe() {
		t.Fatal("no pipe")
	}
	t.Cleanup(m.stopExpecting)
	runtime := exec.CommandContext(t.Context(), "/bin/sh", "-c", `read go; (exit 7) & echo $! >pid; wait $!; exit 5`)
	ready, err := runtime.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := runtime.Start(); err != nil {
		t.Fatal(err)
	}
	m.runtime = runtime.Process.Pid
	m.dieOfPID()
	m.lookAgain() // which is not to be its death
	if _, err := ready.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := runtime.Wait(); !errors.As(err, &exit) || exit.String() != "signal: killed" {
		t.Errorf("the runtime's end: %v", err)
	}
	if pid, err := m.readPID(); err != nil || pid <= 0 {
		t.Errorf("its child: %d, %v", pid, err)
	}
}

// TestPIDFileInThePipesPlace: what a runtime renames there is found as well.
func TestPIDFileInThePipesPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	m := &monitor{loop: l, early: early{pipe: -1, dir: -1, child: true}, cancelled: true} // it looks, and takes nothing over
	if !m.expectPipe() {
		t.Fatal("no pipe")
	}
	t.Cleanup(m.stopExpecting)
	m.lookAgain()
	if m.early.pid != 0 || m.early.again == nil {
		t.Fatalf("pid %d before there is one", m.early.pid)
	}
	if err := errors.Join(os.WriteFile("new", []byte("42"), 0o600), os.Rename("new", protocol.PIDFileName)); err != nil {
		t.Fatal(err)
	}
	if err := l.Run(func() bool { return m.early.pid != 0 }); err != nil || m.early.pid != 42 {
		t.Errorf("pid %d, %v", m.early.pid, err)
	}
}
