package fault

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// reboot: what ran has ended without a word, the mounts are gone with their namespaces, and the runtime folder is empty.
// Containers then read as exited and start again, with what they wrote; nothing has to be repaired.
func reboot(b *box) {
	b.must("run -d --name c -v kept:/kept busybox sh -c 'echo there >> /kept/file; echo there >> /file; exec sleep 1000'")
	b.must("run -d --rm --name passing busybox sleep 1000")
	b.must("create --name never busybox true")
	b.until("the container has written", func() bool { return b.do("exec c cat /file").ok() })
	b.powerOff("c", "passing")

	if got := b.must("ps -q"); got != "" {
		b.t.Errorf("after the boot hull ps shows %s", got)
	}
	if got := b.must("ps -a --filter name=^c$ --format {{.Status}}"); !strings.HasPrefix(got, "Exited (") || strings.Contains(got, "years") {
		b.t.Errorf("after the boot the container is %q", got)
	}
	if got := b.must("inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Pid}}' c"); got != "exited false 0" {
		b.t.Errorf("hull inspect says %q", got)
	}
	if got := b.must("ps -a --filter name=never --format {{.Status}}"); got != "Created" {
		b.t.Errorf("what never ran is %q", got)
	}
	if got := b.must("system check"); got != "" {
		b.t.Errorf("hull system check says %s", got)
	}
	b.must("start c")
	b.until("the container has written again", func() bool {
		return b.must("exec c cat /file /kept/file") == strings.TrimSpace(strings.Repeat("there\n", 4))
	})
	b.must("run --rm --name passing busybox true") // the name is free
	b.end()
}

// powerOff kills the containers, then all else of the sandbox, and empties the runtime folder.
func (b *box) powerOff(containers ...string) {
	b.t.Helper()
	for _, name := range containers {
		monitor, process := b.pids(name)
		b.slay(monitor) // first: it must not see the end
		b.slay(process)
	}
	b.until("all processes are gone", func() bool {
		left := b.Processes()
		for pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		return len(left) == 0
	})
	run := filepath.Join("/dev/shm", b.Dir, "run")
	entries, err := os.ReadDir(run)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(run, e.Name())); err != nil {
			b.t.Fatal(err)
		}
	}
}
