package watch

import (
	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/protocol"
)

// expectPID has the process taken over as soon as the runtime has written its pid, which it does last (crun and runc write
// --pid-file when the process has been executed): the runtime's own end takes milliseconds more, of which nobody who waits for
// the container needs to know. Where it does not come to that, runtimeExited has the word, as for a create, whose process waits
// for the next runtime, and with a terminal, which comes over a socket of its own.
func (m *monitor) expectPID() {
	if m.req.Terminal || m.req.Kind == protocol.KindContainer && m.req.Mode == protocol.ModeCreate {
		return
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return // the user has too many (inotify(7), max_user_instances)
	}
	m.dirWatch = fd
	_, err = unix.InotifyAddWatch(fd, ".", unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO) // runc renames it
	if err == nil {
		err = m.loop.Add(fd, loop.In, func(uint32) { m.dirChanged() })
	}
	if err != nil {
		m.stopExpecting()
	}
}

// stopExpecting is fine when nothing is expected.
func (m *monitor) stopExpecting() {
	if m.dirWatch < 0 {
		return
	}
	m.loop.Remove(m.dirWatch)
	_ = unix.Close(m.dirWatch)
	m.dirWatch = -1
}

// dirChanged looks for the pid after each change in Dir; there are a handful while a runtime is at work.
func (m *monitor) dirChanged() {
	var events [1 << 10]byte
	for {
		if n, err := loop.Read(m.dirWatch, events[:]); n <= 0 || err != nil {
			break
		}
	}
	pid, err := readPID()
	if err != nil || m.cancelled {
		return // not yet, or not any more
	}
	m.stopExpecting()
	if err := m.takeOver(pid); err != nil && m.phase == running { // else it is tried again, and told, when the runtime has ended
		m.reaper.Kill(pid, unix.SIGKILL)
	}
}
