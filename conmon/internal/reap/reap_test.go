package reap

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

// The reaper takes all children of its process and there is one of it in a process, so the tests share one.
var shared = sync.OnceValues(func() (*Reaper, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	return New(l, func(s syscall.Signal) { received = append(received, s) })
})

var received []syscall.Signal

func reaper(t *testing.T) *Reaper {
	t.Helper()
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func run(t *testing.T, r *Reaper, done func() bool) {
	t.Helper()
	late := false
	guard := r.loop.After(20*time.Second, func() { late = true })
	if err := r.loop.Run(func() bool { return late || done() }); err != nil {
		t.Fatal(err)
	}
	r.loop.Stop(guard)
	if late {
		t.Fatal("it did not come to its end")
	}
}

func shell(script string, fds ...int) Command {
	return Command{Argv: []string{"/bin/sh", "-c", script}, Env: os.Environ(), FDs: fds}
}

func TestExitIsTaken(t *testing.T) {
	r := reaper(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -TERM $$": 143} {
		t.Run(script, func(t *testing.T) {
			code := -1
			pid, err := r.Start(shell(script), func(s unix.WaitStatus) { code = Code(s) })
			if err != nil {
				t.Fatal(err)
			}
			run(t, r, func() bool { return code >= 0 })
			if code != want {
				t.Errorf("code %d, want %d", code, want)
			}
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("the zombie is left: %v", err)
			}
			r.Kill(pid, unix.SIGKILL) // fine with one that has ended
		})
	}
	if len(r.watched)+len(r.takers) != 0 {
		t.Errorf("%d and %d are remembered", len(r.watched), len(r.takers))
	}
}

func TestKill(t *testing.T) {
	r := reaper(t)
	code := -1
	pid, err := r.Start(shell("exec sleep 60"), func(s unix.WaitStatus) { code = Code(s) })
	if err != nil {
		t.Fatal(err)
	}
	r.Kill(pid, unix.SIGKILL)
	run(t, r, func() bool { return code >= 0 })
	if code != 137 {
		t.Errorf("code %d, want 137", code)
	}
}

func TestForgottenIsNotTaken(t *testing.T) {
	r := reaper(t)
	told := false
	pid, err := r.Start(shell("exit 3"), func(unix.WaitStatus) { told = true })
	if err != nil {
		t.Fatal(err)
	}
	r.Hold()
	r.Forget(pid)
	r.Forget(pid)
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || Code(status) != 3 {
		t.Errorf("code %d, %v", Code(status), err)
	}
	r.Release()
	after := false
	r.loop.After(0, func() { after = true })
	run(t, r, func() bool { return after })
	if told {
		t.Error("its exit was told")
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	if _, err := reaper(t).Start(Command{Argv: []string{"/nonexistent/runtime"}}, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/nonexistent/runtime") {
		t.Errorf("%v", err)
	}
}

// orphan starts a process whose parent ends, as the runtime does with the container's. It ends with code 5 when go is
// called.
func orphan(t *testing.T, r *Reaper) (pid int, release func()) {
	t.Helper()
	var out, in [2]int
	for _, p := range []*[2]int{&out, &in} {
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	ended := false
	_, err := r.Start(shell("(read x; exit 5) <&3 >/dev/null & echo $!", in[0], out[1], 2, in[0]), func(unix.WaitStatus) { ended = true })
	if err != nil {
		t.Fatal(err)
	}
	run(t, r, func() bool { return ended })
	_, _ = unix.Close(out[1]), unix.Close(in[0])
	var text [32]byte
	n, err := loop.Read(out[0], text[:])
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(out[0])
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text[:n]))); err != nil {
		t.Fatal(err)
	}
	return pid, func() { _ = unix.Close(in[1]) }
}

func gone(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

func TestOrphanThatIsWatchedGivesItsCode(t *testing.T) {
	r := reaper(t)
	r.Hold()
	pid, end := orphan(t, r)
	code := -1
	if err := r.Watch(pid, func(s unix.WaitStatus) { code = Code(s) }); err != nil {
		t.Fatal(err)
	}
	r.Release()
	end()
	run(t, r, func() bool { return code >= 0 })
	if code != 5 || !gone(pid) {
		t.Errorf("code %d, gone %v; want 5, true", code, gone(pid))
	}
}

func TestHoldKeepsTheExitOfAnOrphan(t *testing.T) {
	r := reaper(t)
	r.Hold()
	pid, end := orphan(t, r)
	end()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil { // it has ended now
		t.Fatal(err)
	}
	r.Orphans()
	if gone(pid) {
		t.Error("its exit was taken though orphans are held")
	}
	r.Release()
	if !gone(pid) {
		t.Error("Release leaves its zombie")
	}
}

func TestOrphanThatNobodyWatchesGoes(t *testing.T) {
	r := reaper(t)
	pid, end := orphan(t, r)
	end()
	run(t, r, func() bool { return gone(pid) })
}

func TestSignalsComeFromTheLoop(t *testing.T) {
	r := reaper(t)
	received = nil
	for _, s := range []syscall.Signal{unix.SIGHUP, unix.SIGPIPE, unix.SIGTERM} { // the first two are dropped
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	run(t, r, func() bool { return len(received) > 0 })
	if len(received) != 1 || received[0] != unix.SIGTERM {
		t.Errorf("%v, want SIGTERM alone", received)
	}
}
