package wire

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeNet says that it is hull-net in its first argument's folder, as hull-net does, and sleeps.
const fakeNet = `set -- "$1" $(cat /proc/$$/stat); echo "$$ ${23}" >"$1/new"; mv "$1/new" "$1/pid"; exec sleep 1000`

func newFake(t *testing.T) *Client {
	t.Helper()
	c := &Client{Dir: t.TempDir()}
	c.Command = []string{"/bin/sh", "-c", fakeNet, "hull-net", c.Dir}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// await waits for a hull-net that is not the one before.
func (c *Client) await(t *testing.T, before int) int {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		if pid := c.pid(); pid != 0 && pid != before {
			return pid
		}
	}
	t.Fatal("there is no other hull-net")
	return 0
}

func TestGuard(t *testing.T) {
	c := newFake(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Guard(t.Context())
	}()
	t.Cleanup(func() { <-done }) // before the last one is killed
	first := c.await(t, 0)
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.await(t, first)
}

func TestKill(t *testing.T) {
	c := newFake(t)
	if err := c.Kill(); err != nil {
		t.Errorf("there is none: %v", err)
	}
	child, err := c.start()
	if err != nil {
		t.Fatal(err)
	}
	if pid := c.await(t, 0); pid != child.pid {
		t.Errorf("it is %d, and %d was started", pid, child.pid)
	}
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	if _, ended := child.ended(); !ended {
		t.Error("it lives")
	}
}

// Somebody else's process that has the pid now is not hull-net.
func TestPIDOfAnother(t *testing.T) {
	c := &Client{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(c.Dir, PID), []byte("1 12345678\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid := c.pid(); pid != 0 {
		t.Errorf("hull-net is %d", pid)
	}
}
