package watch

import (
	"golang.org/x/sys/unix"

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
	m.dirWatch = fd
}

// stopExpecting is fine when nothing is expected.
func (m *monitor) stopExpecting() {
	if m.dirWatch >= 0 {
		_ = unix.Close(m.dirWatch)
	}
	m.dirWatch = -1
}

// dirChanged looks for the pid after changes in Dir; there are a handful while a runtime is at work.
func (m *monitor) dirChanged() {
	if m.dirWatch < 0 {
		return // one that was under way
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
