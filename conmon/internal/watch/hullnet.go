package watch

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/protocol"
)

const (
	firstLook = 50 * time.Millisecond // after hull-net was found dead and somebody starts the next
	lastLook  = 500 * time.Millisecond
	apart     = 500 * time.Millisecond // between two starts, whoever does them: it may not be able to run
)

// restartLock follows the name of the pid file in that of the file that is locked while one of the monitors starts hull-net,
// and is written to when it does: an empty one tells of no start.
const restartLock = ".restart"

// hullNet sees to it that hull-net is there, which serves the networks of the container and of others: each of their
// monitors waits for its end, and one of them starts the next. A nil hullNet does nothing.
//
//	watching ──dead──> looking ──lock──> starting ──pid in the file──> watching
//	    ^                │  ^               │
//	    └──somebody did──┘  └──it has ended─┘
//
// What it starts outlives the monitor.
type hullNet struct {
	loop  *loop.Loop
	file  string                   // has "PID START\n"; START is field 22 of /proc/PID/stat
	start func(ended func()) error // starts hull-net and calls ended from the loop when it has ended
	alive int                      // pidfd that is watched, or -1
	lock  int                      // descriptor of the lock while it is ours, or -1
	begun int                      // starts: tells the end of this one from that of an earlier
	wait  time.Duration            // before the next look
	timer *loop.Timer
}

// watchHullNet begins with a look: hull-net may have died already.
func watchHullNet(l *loop.Loop, file string, start func(ended func()) error) *hullNet {
	n := &hullNet{loop: l, file: file, start: start, alive: -1, lock: -1}
	n.look()
	return n
}

// startHullNet is hullNet.start.
func (m *monitor) startHullNet(ended func()) error {
	c := m.command(m.req.NetCommand...)
	c.Free = true
	return m.quietly(c, ended)
}

// stop lets hull-net be, and one that is being started.
func (n *hullNet) stop() {
	if n == nil {
		return
	}
	n.loop.Stop(n.timer)
	n.begun++
	n.unwatch()
	n.unlock()
}

// look watches hull-net if it lives, and else starts it or leaves that to another monitor and looks again.
func (n *hullNet) look() {
	if n.watch() {
		return
	}
	if n.lock < 0 && n.takeLock() {
		if n.watch() { // somebody was faster
			return
		}
		n.begin()
	}
	n.wait = min(max(2*n.wait, firstLook), lastLook)
	n.timer = n.loop.After(n.wait, n.look)
}

// begin starts hull-net; the lock is held until it is in the file or has ended.
func (n *hullNet) begin() {
	n.begun++
	this := n.begun
	ended := func() {
		if n.begun == this {
			n.unlock()
		}
	}
	if !noteStart(n.lock) || n.start(ended) != nil {
		n.unlock()
	}
}

// watch watches the hull-net that the file names, if that lives.
func (n *hullNet) watch() bool {
	fd := living(n.file)
	if fd < 0 {
		return false
	}
	if n.loop.Add(fd, loop.In, func(uint32) { n.died() }) != nil {
		_ = unix.Close(fd)
		return false
	}
	n.alive, n.wait = fd, 0
	n.unlock()
	return true
}

func (n *hullNet) died() {
	n.unwatch()
	n.look()
}

func (n *hullNet) unwatch() {
	if n.alive >= 0 {
		n.loop.Remove(n.alive)
		_ = unix.Close(n.alive)
		n.alive = -1
	}
}

// takeLock reports whether this is the monitor that starts hull-net.
func (n *hullNet) takeLock() bool {
	fd, err := unix.Open(n.file+restartLock, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return false
	}
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = unix.Close(fd)
		return false
	}
	n.lock = fd
	return true
}

func (n *hullNet) unlock() {
	if n.lock >= 0 {
		_ = unix.Close(n.lock)
		n.lock = -1
	}
}

// living opens a pidfd of the process that a pid file names; -1: it is dead. One that has the pid of the dead has another
// start time, and one that nobody has waited for yet counts as dead.
func living(file string) int {
	data, err := protocol.ReadFile(file)
	if err != nil {
		return -1
	}
	pidText, startText, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err := strconv.Atoi(pidText)
	if err != nil || pid <= 0 {
		return -1
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1
	}
	exited := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if count, _ := unix.Poll(exited, 0); count != 0 || strconv.FormatInt(startTime(pid), 10) != startText {
		_ = unix.Close(fd)
		return -1
	}
	return fd
}

// noteStart reports whether hull-net may be started now, and notes it in the file of the lock. A clock that was set back is
// no reason to wait.
func noteStart(lock int) bool {
	var st unix.Stat_t
	if unix.Fstat(lock, &st) != nil {
		return false
	}
	age := time.Since(time.Unix(st.Mtim.Unix()))
	if st.Size > 0 && age >= 0 && age < apart {
		return false
	}
	_, err := unix.Pwrite(lock, []byte{'.'}, 0)
	return err == nil
}
