package watch

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/reap"
	"hull.dev/hull/conmon/protocol"
)

// early is how the monitor hears of the runtime's pid file as soon as it is written; a descriptor that is not in use is -1.
type early struct {
	pipe  int              // a FIFO in the file's place, which the runtime writes to
	pid   int              // what was read, or 0
	dir   int              // Dir, with F_NOTIFY (fcntl(2))
	child bool             // the runtime is the process' parent, and dies of its pid file (dieOfPID)
	again *loop.Timer      // to look for the pid all the same
	exit  *unix.WaitStatus // of the process, when it ended before the runtime
}

// expectPID has the process taken over as soon as the runtime has written its pid, which it does last (crun and runc write
// --pid-file when the process has been executed): the runtime's own end takes milliseconds more, of which nobody who waits for
// the container needs to know. Where it does not come to that, runtimeExited has the word, as for a create, whose process waits
// for the next runtime, and with a terminal, which comes over a socket of its own. The runtime is to have the descriptors that
// it returns.
func (m *monitor) expectPID() (theirs []int) {
	m.early.pid, m.early.child = 0, false
	if m.req.Terminal || m.req.Kind == protocol.KindContainer && m.req.Mode == protocol.ModeCreate {
		return nil
	}
	if reap.IsCrun(m.req.Runtime) && m.expectPipe() {
		m.early.child = m.req.Kind == protocol.KindContainer && !slices.ContainsFunc(m.req.Env, forwards)
		return []int{m.early.pipe}
	}
	m.expectChange()
	return nil
}

// forwards reports whether a variable has crun stay to hand on what the container has to say to systemd (sd_notify(3)).
func forwards(variable string) bool { return strings.HasPrefix(variable, "NOTIFY_SOCKET=") }

// expectPipe puts a FIFO where crun writes the pid. It is open for reading in crun too, which would wait for a reader for ever
// if the monitor died. (Not for writing: then what dieOfPID asks for would come of each read, too.)
func (m *monitor) expectPipe() bool {
	if unix.Mkfifo(protocol.PIDFileName, 0o600) != nil {
		return false
	}
	fd, err := unix.Open(protocol.PIDFileName, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		_ = unix.Unlink(protocol.PIDFileName)
		return false
	}
	m.early.pipe = fd
	if m.loop.Add(fd, loop.In, func(uint32) { m.pidWritten() }) != nil {
		m.stopExpecting()
		return false
	}
	return true
}

// dieOfPID has the kernel kill the runtime as soon as it has written the pid: signal-driven I/O (fcntl(2), F_SETSIG) on the FIFO, whose
// description the runtime has as well, so that it comes to the same when the monitor has died. With --detach crun forks twice, so as
// not to be the process' parent, and each copy of its memory is paid for in page faults: 15 % of a start. Without, it would
// wait for the process, which when it is killed becomes the monitor's, its exit not taken.
//
// Where this comes too late, or the kernel says no, crun stays for as long as the process, and ends with its exit code.
func (m *monitor) dieOfPID() {
	if !m.early.child {
		return
	}
	m.early.again = m.loop.After(lookAgain, m.lookAgain)
	for _, c := range [...]struct{ command, value int }{
		{unix.F_SETOWN, m.runtime},
		{unix.F_SETSIG, int(unix.SIGKILL)},
		{unix.F_SETFL, unix.O_NONBLOCK | unix.O_ASYNC},
	} {
		if _, err := unix.FcntlInt(uintptr(m.early.pipe), c.command, c.value); err != nil {
			return
		}
	}
}

// lookAgain is for a crun that puts a file of its own in the FIFO's place: it would wait for the process, and the monitor for it.
func (m *monitor) lookAgain() {
	m.pidWritten()
	if m.early.pipe >= 0 {
		m.early.again = m.loop.After(lookAgain, m.lookAgain)
	}
}

const lookAgain = time.Second

// expectChange hears of changes in Dir; another runtime may put a file of its own in the FIFO's place, as runc does.
func (m *monitor) expectChange() {
	fd, err := unix.Open(".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	// Not inotify(7): to close one waits until no processor can still be at one of its watches, 5 to 20 ms, in close or at the process' end.
	const modify, rename, multishot = 0x2, 0x10, 0x80000000 // DN_MODIFY and others of linux/fcntl.h; runc renames it
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_NOTIFY, modify|rename|multishot); err != nil {
		_ = unix.Close(fd) // a kernel without CONFIG_DNOTIFY
		return
	}
	m.reaper.Also(unix.SIGIO) // until now the Go runtime dropped it, and the runtime has not been started
	m.early.dir = fd
}

// stopExpecting is fine when nothing is expected.
func (m *monitor) stopExpecting() {
	m.loop.Stop(m.early.again)
	if fd := m.early.pipe; fd >= 0 {
		m.loop.Remove(fd)
		_ = unix.Close(fd)
		_ = unix.Unlink(protocol.PIDFileName)
	}
	if m.early.dir >= 0 {
		_ = unix.Close(m.early.dir)
	}
	m.early.pipe, m.early.dir = -1, -1
}

// pidWritten looks for the pid after a change; of those in Dir there are a handful while a runtime is at work.
func (m *monitor) pidWritten() {
	if m.early.pipe < 0 && m.early.dir < 0 {
		return // one that was under way
	}
	pid, err := m.readPID()
	if err != nil || m.cancelled {
		return // not yet, or not any more
	}
	m.stopExpecting()
	if err := m.takeOver(pid); err != nil && m.phase == running { // else it is tried again, and told, when the runtime has ended
		m.reaper.Kill(pid, unix.SIGKILL)
	}
}

// readPID reads what the runtime wrote to --pid-file; a pipe tells it once.
func (m *monitor) readPID() (int, error) {
	if m.early.pid > 0 {
		return m.early.pid, nil
	}
	data, err := m.pidFile()
	if errors.Is(err, unix.ENOENT) {
		return 0, errors.New("the runtime ended well and wrote no pid file")
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 0 {
		return 0, errors.New("the runtime's pid file has no pid: " + strconv.Quote(string(data)))
	}
	m.early.pid = pid
	return pid, nil
}

// pidFile is its content. A runtime that put a file in the FIFO's place wrote nothing to that.
func (m *monitor) pidFile() ([]byte, error) {
	if m.early.pipe < 0 {
		return protocol.ReadFile(protocol.PIDFileName)
	}
	var text [32]byte
	if n, _ := loop.Read(m.early.pipe, text[:]); n > 0 {
		return text[:n], nil
	}
	var st unix.Stat_t
	if err := unix.Lstat(protocol.PIDFileName, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFIFO {
		return nil, unix.ENOENT
	}
	return protocol.ReadFile(protocol.PIDFileName)
}
