package pidfd

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func sleeper(t *testing.T) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, cmd.Process.Pid
}

func yes() (bool, error) { return true, nil }

func TestKill(t *testing.T) {
	cmd, pid := sleeper(t)
	trouble := errors.New("trouble")
	for _, same := range []func() (bool, error){func() (bool, error) { return false, nil }, func() (bool, error) { return true, trouble }} {
		if err := Kill(pid, time.Second, same); err != nil && !errors.Is(err, trouble) {
			t.Error(err)
		}
	}
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("it was another, and is gone: %v", err)
	}
	if err := Kill(pid, 10*time.Second, yes); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("it ended with %v", err)
	}
	if err := Kill(pid, time.Second, yes); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

func TestSignal(t *testing.T) {
	cmd, pid := sleeper(t)
	if err := Signal(pid, unix.SIGTERM, yes); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("it ended with %v", err)
	}
}
