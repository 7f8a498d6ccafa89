package fault

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slow waits for a minute that hull gives a runtime, and so begins first.
const slow = "runtime/hangs-at-delete"

// others are the cases that break what hull stands on.
func (s *suite) others(t *testing.T) {
	s.run(t, slow, func(t *testing.T) { t.Helper(); runtimeHangsAtDelete(filled(t, s.base)) })
	for name, fn := range map[string]func(*box){
		"monitor/killed":        monitorKilled,
		"monitor/killed-rm":     monitorKilledRemove,
		"monitor/killed-exec":   monitorKilledExec,
		"reboot":                reboot,
		"runtime/hangs":         runtimeHangs,
		"runtime/hangs-killed":  runtimeHangsKilled,
		"runtime/dies":          runtimeDies,
		"runtime/gives-up-slow": runtimeGivesUpSlowly,
		"runtime/not-a-program": runtimeMissing,
		"descriptors/few":       fewDescriptors,
		"racers/create-create":  racersCreate,
		"racers/start-start":    racers(start, start),
		"racers/start-remove":   racers(start, remove),
		"racers/start-stop":     racers(start, stop),
		"racers/stop-stop":      racers(stop, stop),
		"racers/stop-remove":    racers(stop, remove),
		"racers/remove-remove":  racers(remove, remove),
		"racers/rename-remove":  racers(rename, remove),
		"racers/rename-rename":  racers(rename, rename),
		"racers/exec-remove":    racers(execute, remove),
		"racers/restart-stop":   racers(restart, stop),
		"many/eight-by-fifty":   eightByFifty,
		"many/twenty-first":     twentyFirst,
	} {
		s.run(t, name, func(t *testing.T) {
			t.Helper()
			if name == "many/twenty-first" {
				fn(newBox(t, s.base))
				return
			}
			fn(filled(t, s.base))
		})
	}
}

// monitor is the pid of a container's monitor, and process that of its own.
func (b *box) pids(name string) (monitor, process int) {
	b.t.Helper()
	m, p, _ := strings.Cut(b.must("inspect --format '{{.State.ConmonPid}} {{.State.Pid}}' "+name), " ")
	monitor, err1 := strconv.Atoi(m)
	process, err2 := strconv.Atoi(p)
	if err1 != nil || err2 != nil || monitor < 2 || process < 2 {
		b.t.Fatalf("pids of %s: %q %q", name, m, p)
	}
	return monitor, process
}

// slay is kill -9 of a process of the sandbox's, and waits for its end.
func (b *box) slay(pid int) {
	b.t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		b.t.Fatal(os.NewSyscallError("pidfd_open", err))
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		b.t.Fatal(os.NewSyscallError("pidfd_send_signal", err))
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		b.t.Fatalf("process %d does not end: %v", pid, err)
	}
}

// monitorKilled: the container outlives its monitor, and when it ends too, ps and inspect say so, with the code that means
// that nobody read the real one.
func monitorKilled(b *box) {
	b.must(sleeps)
	monitor, process := b.pids("c")
	b.slay(monitor)
	if got := b.must("ps --format {{.Status}}"); !strings.HasPrefix(got, "Up ") {
		b.t.Errorf("without its monitor the container is %q", got)
	}
	b.slay(process)
	if got := b.must("ps -a --format {{.Status}}"); !strings.HasPrefix(got, "Exited (255)") {
		b.t.Errorf("hull ps says %q", got)
	}
	if got := b.must("inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}' c"); got != "exited 255 false" {
		b.t.Errorf("hull inspect says %q", got)
	}
	b.must("start c")
	monitor, _ = b.pids("c")
	b.slay(monitor)
	b.must("stop -t0 c")
	b.must("rm c")
	b.end()
}

// monitorKilledRemove: a container without a monitor is removed like any other, also one that removes itself.
func monitorKilledRemove(b *box) {
	b.must("run -d --rm --name c -v /anonymous busybox sleep 1000")
	monitor, process := b.pids("c")
	b.slay(monitor)
	b.must("rm -f -t0 c")
	if stat, err := os.ReadFile("/proc/" + itoa(process) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
		b.t.Errorf("the process outlives its container: %s", stat)
	}
	b.must("run -d --rm --name c busybox sleep 1000")
	monitor, process = b.pids("c")
	b.slay(process) // the monitor may come to its clean-up, or not
	_ = unix.Kill(monitor, unix.SIGKILL)
	b.must("run --rm --name c busybox true")
	b.end()
}

// monitorKilledExec: the monitor of an exec session dies; the container and later sessions are none the worse.
func monitorKilledExec(b *box) {
	b.must(sleeps)
	main, _ := b.pids("c")
	b.must("exec -d c sleep 1000")
	for pid, command := range b.Processes() {
		if strings.HasPrefix(command, "hull-conmon") && pid != main {
			b.slay(pid)
		}
	}
	b.must("exec c true")
	b.must("stop -t0 c")
	b.end()
}

// runtimeGivesUpSlowly: hull dies before the runtime has its spec, and the next start comes while the monitor still gives
// the first one up.
func runtimeGivesUpSlowly(b *box) {
	flag := b.runtime(`case " $* " in *" delete "*) sleep 1 ;; esac`)
	b.must(flag + "create --name c busybox true")
	b.died = true
	if r := b.do("start -a c", "HULL_FAILPOINT=start/network"); r.code != 137 {
		b.t.Fatalf("not killed: %s", r)
	}
	b.must("start -a c")
	b.whole()
	b.end()
}

// runtime writes a runtime of the test's: a shell script that may go on as crun, and returns hull's flag for it.
func (b *box) runtime(text string) string {
	b.t.Helper()
	path := filepath.Join(b.Dir, "crun")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\nexec /usr/bin/crun \"$@\"\n"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	return "--runtime " + path + " "
}

// background starts a hull command and waits until it has got as far as the file says, which the runtime makes.
func (b *box) background(line, file string) (cmd *exec.Cmd, ended chan result) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	b.t.Cleanup(cancel)
	cmd, ended = b.command(ctx, line), make(chan result, 1)
	go func() { ended <- b.wait(cmd, line) }()
	b.until("the runtime is at work", func() bool { _, err := os.Stat(filepath.Join(b.Dir, file)); return err == nil })
	return cmd, ended
}

// within takes the end of a background command.
func (b *box) within(ended chan result, limit time.Duration) result {
	b.t.Helper()
	select {
	case r := <-ended:
		return r
	case <-time.After(limit):
		b.t.Fatalf("the command did not end within %s\nprocesses: %v", limit, b.Processes())
		return result{}
	}
}

// hangs is a runtime that never ends when it is to run something.
const hangs = `case "$*" in *" run "*|*" create "*) : > "$DIR"/hangs; exec sleep 1000;; esac`

// runtimeHangs: others are not held up, and the command that waits can be interrupted.
func runtimeHangs(b *box) {
	b.must("create --name other busybox true")
	cmd, ended := b.background(b.runtime(strings.ReplaceAll(hangs, `"$DIR"`, b.Dir))+"run -d --name c busybox true", "hangs")
	b.must("ps -a")
	b.must("start -a other")
	b.must("rm other")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		b.t.Fatal(err)
	}
	if r := b.within(ended, 20*time.Second); r.ok() {
		b.t.Errorf("an interrupted start is a success: %s", r)
	}
	b.whole()
	b.end()
}

// runtimeHangsKilled: as runtimeHangs, but the command is killed; nothing of the start survives a removal.
func runtimeHangsKilled(b *box) {
	cmd, ended := b.background(b.runtime(strings.ReplaceAll(hangs, `"$DIR"`, b.Dir))+"run -d --name c busybox true", "hangs")
	if err := cmd.Process.Kill(); err != nil {
		b.t.Fatal(err)
	}
	b.within(ended, 10*time.Second)
	b.died = true
	b.whole()
	b.must("rm -f -t0 c")
	b.end()
}

// runtimeHangsAtDelete: the runtime's delete has a deadline, and the error says who did not answer. Once the runtime is
// well again, the container can be removed.
func runtimeHangsAtDelete(b *box) {
	r := b.runtime(`case "$*" in *" delete "*) mkdir ` + b.Dir + `/hangs 2>/dev/null && exec sleep 1000;; esac`) // the first
	// With a flag of the user's the runtime is asked to delete, and its folder not just removed.
	r += "--runtime-flag log-format=text "
	b.must(r + sleeps)
	_, ended := b.background(r+"rm -f -t0 c", "hangs")
	b.must("ps -a")
	b.says(b.within(ended, 2*deadline), "no answer")
	b.must(r + "rm -f -t0 c")
	b.end()
}

// runtimeDies: a runtime that is killed or says nothing is named in one line; the container can be started by a better one.
func runtimeDies(b *box) {
	b.says(b.do(b.runtime(`case "$*" in *" run "*) kill -9 $$;; esac`)+"run -d --name c busybox true"), "runtime")
	b.says(b.do(b.runtime(`case "$*" in *" run "*) exit 3;; esac`)+"run -d --name d busybox true"), "exit code 3")
	b.runtime("")
	b.must("start -a c")
	b.end()
}

// runtimeMissing: a runtime that cannot be executed is told, and nothing is left.
func runtimeMissing(b *box) {
	b.says(b.do("--runtime /nonexistent run --rm busybox true"), "/nonexistent")
	path := filepath.Join(b.Dir, "text")
	if err := os.WriteFile(path, []byte("no program"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	b.says(b.do("--runtime "+path+" run --rm busybox true"), "")
	if out := b.must("ps -aq"); out != "" {
		b.t.Errorf("left: %s", out)
	}
	b.end()
}

// fewDescriptors: with any number of file descriptors a command works or says why not, and leaves nothing half made.
func fewDescriptors(b *box) {
	works := 0
	for n := 8; n < 64; n += 3 { // with fewer, Go's own runtime does not start

		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		hull := b.command(ctx, "run --rm --name c busybox true")
		limited := exec.CommandContext(ctx, "sh", append([]string{"-c", "ulimit -n " + itoa(n) + "; exec hull \"$@\"", "sh"}, hull.Args[1:]...)...)
		limited.Env, limited.Dir, limited.WaitDelay = hull.Env, hull.Dir, hull.WaitDelay
		r := b.wait(limited, "with "+itoa(n)+" descriptors: run --rm busybox true")
		if ctx.Err() != nil {
			b.t.Fatalf("no end: %s", r)
		}
		cancel()
		switch {
		case r.ok():
			works++
		case strings.Contains(r.stderr, "storage/pkg/lockfile") && strings.Contains(r.stderr, "too many open files"):
			// The storage library panics when it cannot open a lock: to what it leaves, this is a kill like any other.
			b.died = true
		case strings.Contains(r.stderr, "goroutine ") || strings.TrimSpace(r.stderr) == "":
			b.t.Errorf("%s", r)
		}
		b.whole()
	}
	if works == 0 {
		b.t.Error("63 descriptors are not enough for run --rm")
	}
	b.end()
}
