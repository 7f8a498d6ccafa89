package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/reap"
	"hull.dev/hull/conmon/protocol"
)

// role is a variable that makes the test binary a hull-net or a monitor, for the pid file in its only argument.
const role = "HULL_TEST_ROLE"

func TestMain(m *testing.M) {
	was := os.Getenv(role)
	_ = os.Unsetenv(role) // what it starts is something else
	switch was {
	case "hull-net":
		beHullNet(os.Args[1])
	case "monitor":
		beMonitor(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// beHullNet does what the monitor relies on. It leaves a byte in FILE.starts for each of its kind that began to work.
func beHullNet(file string) {
	lock, err := unix.Open(file+".lock", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil || unix.Flock(lock, unix.LOCK_EX|unix.LOCK_NB) != nil {
		os.Exit(0)
	}
	starts, err := os.OpenFile(file+".starts", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		os.Exit(1)
	}
	_, _ = starts.WriteString(".")
	if replaceFile(file, fmt.Appendf(nil, "%d %d\n", os.Getpid(), startTime(os.Getpid()))) != nil {
		os.Exit(1)
	}
	<-time.After(time.Minute) // it does not outlive the tests for long
}

func beMonitor(file string) {
	m, err := newMonitor(file)
	if err == nil {
		m.net = watchHullNet(m.loop, file, m.startHullNet)
		err = m.loop.Run(func() bool { return false })
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func newMonitor(file string) (*monitor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &monitor{req: &protocol.Request{NetPIDFile: file, NetCommand: []string{self, file}, Env: append(os.Environ(), role+"=hull-net")}}
	if m.loop, err = loop.New(); err != nil {
		return nil, err
	}
	m.reaper, err = reap.New(m.loop, func(syscall.Signal) {})
	return m, err
}

// There is one reaper in a process, so the tests share a monitor. Its request is the test's own.
var shared = sync.OnceValues(func() (*monitor, error) { return newMonitor("") })

func testMonitor(t *testing.T) *monitor {
	t.Helper()
	one, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{loop: one.loop, reaper: one.reaper, req: new(protocol.Request)}
	*m.req = *one.req
	m.req.NetPIDFile = filepath.Join(t.TempDir(), "hull-net.pid")
	m.req.NetCommand = []string{one.req.NetCommand[0], m.req.NetPIDFile}
	t.Cleanup(func() { endHullNet(m.req.NetPIDFile) })
	return m
}

// endHullNet kills the one that the file names.
func endHullNet(file string) {
	if fd := living(file); fd >= 0 {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		_ = unix.Close(fd)
	}
}

func run(t *testing.T, l *loop.Loop, done func() bool) {
	t.Helper()
	late := false
	guard := l.After(20*time.Second, func() { late = true })
	if err := l.Run(func() bool { return late || done() }); err != nil {
		t.Fatal(err)
	}
	l.Stop(guard)
	if late {
		t.Fatal("it did not come to its end")
	}
}

// until waits for a condition that other processes bring about.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to its end")
		}
	}
}

func pidIn(file string) int {
	data, _ := os.ReadFile(file)
	text, _, _ := strings.Cut(string(data), " ")
	pid, _ := strconv.Atoi(text)
	return pid
}

func sizeOf(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestHullNetComesBack(t *testing.T) {
	m := testMonitor(t)
	file := m.req.NetPIDFile
	a, b := watchHullNet(m.loop, file, m.startHullNet), watchHullNet(m.loop, file, m.startHullNet)
	both := func() bool { return a.alive >= 0 && b.alive >= 0 }
	run(t, m.loop, both)
	pid := pidIn(file)
	for again := range int64(2) {
		killed, before := time.Now(), pid
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		run(t, m.loop, func() bool { pid = pidIn(file); return pid != before && both() })
		if took := time.Since(killed); took > 2*time.Second {
			t.Errorf("back after %v", took)
		}
		if n := sizeOf(file + ".starts"); n != again+2 {
			t.Errorf("%d have been at work, want %d", n, again+2)
		}
	}
	if !a.takeLock() {
		t.Error("the lock is still held")
	}
	proc := "/proc/" + strconv.Itoa(pid)
	if dir, _ := os.Readlink(proc + "/cwd"); dir != "/" {
		t.Errorf("it stands at %q", dir)
	}
	for _, fd := range []string{"0", "1", "2"} {
		if target, _ := os.Readlink(proc + "/fd/" + fd); target != "/dev/null" {
			t.Errorf("its descriptor %s is %q", fd, target)
		}
	}
	a.stop()
	b.stop()
	a.stop()
	(*hullNet)(nil).stop()
	_ = unix.Kill(pid, unix.SIGKILL)
	run(t, m.loop, func() bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }) // its exit is taken
	if n := sizeOf(file + ".starts"); n != 3 || both() {
		t.Errorf("%d have been at work, want 3", n)
	}
}

// Monitors are processes: of several, one does it, and what it has started outlives it.
func TestOneOfSeveralMonitorsStartsHullNet(t *testing.T) {
	m := testMonitor(t)
	file := m.req.NetPIDFile
	var monitors []*os.Process
	for range 3 {
		p, err := os.StartProcess(m.req.NetCommand[0], []string{"monitor", file}, &os.ProcAttr{
			Env: append(os.Environ(), role+"=monitor"), Files: []*os.File{nil, os.Stdout, os.Stderr},
		})
		if err != nil {
			t.Fatal(err)
		}
		monitors = append(monitors, p)
	}
	alive := func() bool {
		fd := living(file)
		if fd < 0 {
			return false
		}
		return unix.Close(fd) == nil
	}
	until(t, alive)
	before := pidIn(file)
	if err := unix.Kill(before, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return pidIn(file) != before && alive() })
	for _, p := range monitors {
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	pid := pidIn(file)
	if sid, err := unix.Getsid(pid); err != nil || sid != pid || !alive() {
		t.Errorf("session %d, %v, want its own, %d, and that it lives", sid, err, pid)
	}
	if n := sizeOf(file + ".starts"); n != 2 {
		t.Errorf("%d have been at work, want 2", n)
	}
}

// What cannot be started is tried again, but not in haste, and nobody is kept from doing better.
func TestHullNetThatDoesNotStart(t *testing.T) {
	for name, command := range map[string][]string{"ends": {"/bin/false"}, "is not there": {"/nonexistent/hull-net"}} {
		t.Run(name, func(t *testing.T) {
			m := testMonitor(t)
			m.req.NetCommand = command
			var starts []time.Time
			n := watchHullNet(m.loop, m.req.NetPIDFile, func(ended func()) error {
				starts = append(starts, time.Now())
				return m.startHullNet(ended)
			})
			run(t, m.loop, func() bool { return len(starts) == 3 && n.lock < 0 })
			for i := range starts[1:] {
				if wait := starts[i+1].Sub(starts[i]); wait < apart-10*time.Millisecond { // a file's time is that of the last tick
					t.Errorf("started again after %v", wait)
				}
			}
			n.stop()
			if n.alive >= 0 || n.lock >= 0 {
				t.Error("something is held after stop")
			}
		})
	}
}

func TestLiving(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	zombie, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait() //nolint:errcheck // it has ended
	if err := unix.Waitid(unix.P_PID, zombie.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	own, ended := os.Getpid(), zombie.Pid
	for text, want := range map[string]bool{
		fmt.Sprintf("%d %d\n", own, startTime(own)):     true,
		fmt.Sprintf("%d %d\n", own, startTime(own)+1):   false, // its pid was another's
		fmt.Sprintf("%d\n", own):                        false,
		fmt.Sprintf("%d %d\n", ended, startTime(ended)): false,
		"": false, "\n": false, "x 1\n": false, "0 0\n": false, "-1 0\n": false, "4194305 0\n": false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fd := living(file)
		if (fd >= 0) != want {
			t.Errorf("%q lives: %v", text, fd >= 0)
		}
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	if living(file+".missing") >= 0 {
		t.Error("a file that is missing names somebody")
	}
}
