package monitor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hullNet does what the monitor relies on, for the pid file $1; then it is sleep, with the same pid.
const hullNet = `exec 9>"$1.lock"; flock -n 9 || exit 0; echo >>"$1.starts"
echo "$$ $(cut -d' ' -f22 /proc/$$/stat)" >"$1.new"; mv "$1.new" "$1"; exec sleep 60`

func TestHullNetComesBack(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		file := filepath.Join(t.TempDir(), "hull-net.pid")
		var boxes []*box
		var sessions []*Session
		for range 2 {
			b := newBox(t, runtime, "/bin/sleep", "1000")
			b.req.NetPIDFile, b.req.NetCommand = file, []string{"/bin/sh", "-c", hullNet, "hull-net", file}
			boxes, sessions = append(boxes, b), append(sessions, b.start())
		}
		back := func(before int) (pid int) {
			t.Helper()
			until(t, "hull-net runs", func() bool {
				data, _ := os.ReadFile(file)
				text, _, _ := strings.Cut(string(data), " ")
				pid, _ = strconv.Atoi(text)
				return pid > 0 && pid != before
			})
			return pid
		}
		pid := back(0)
		for i, b := range boxes {
			killed := time.Now()
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			pid = back(pid)
			if took := time.Since(killed); took > 2*time.Second {
				t.Errorf("back after %v", took)
			}
			if starts, err := os.ReadFile(file + ".starts"); len(starts) != i+2 {
				t.Errorf("%d have been at work, want %d (%v)", len(starts), i+2, err)
			}
			b.runtime("kill", b.req.ID, "KILL")
			_ = sessions[i].Close()
			b.waitGone()
		}
		// The containers are gone with their monitors; it is not theirs to end.
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Errorf("hull-net has gone with the containers: %v", err)
		}
	})
}
