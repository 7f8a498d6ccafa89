package reap

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

func TestChildHasTheSlackThatWasThereBefore(t *testing.T) {
	if _, err := os.Stat("/proc/self/timerslack_ns"); err != nil {
		t.Skip("/proc does not tell the timer slack here:", err)
	}
	r := reaper(t)
	if slack <= 0 {
		t.Fatalf("the slack is not known: %d", slack)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack)+7_000_000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	var out [2]int
	if err := unix.Pipe2(out[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	ended := false
	if _, err := r.Start(shell("cat /proc/self/timerslack_ns", 0, out[1], 2), func(unix.WaitStatus) { ended = true }); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(out[1])
	run(t, r, func() bool { return ended })
	var text [32]byte
	n, err := loop.Read(out[0], text[:])
	_ = unix.Close(out[0])
	if got := strings.TrimSpace(string(text[:n])); err != nil || got != strconv.Itoa(slack) {
		t.Errorf("the child has %q (%v), want %d", got, err, slack)
	}
}
