package watch

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/reap"
	"hull.dev/hull/conmon/protocol"
)

// patience is how long the monitor outlives its work for attachers that have not read everything yet.
const patience = 10 * time.Second

// processExited takes the exit of the main process: all of its output first, then the record, then the news.
func (m *monitor) processExited(status unix.WaitStatus) {
	if m.runtime != 0 { // it was taken over early, and is over before the runtime is
		m.early.exit = &status
		return
	}
	m.loop.Stop(m.timeout)
	m.stdio.Drain()
	m.stdio.Close()
	m.stdio = nil
	m.log.Flush()
	m.status.ExitCode = int64(reap.Code(status))
	if m.timedOut {
		m.status.ExitCode = protocol.TimeoutCode
	}
	m.status.ExitedAt = time.Now()
	m.status.OOM = m.memory.killed()
	m.memory.close()
	m.memory = nil
	if m.mayRestart() {
		m.waitToRestart()
		return
	}
	m.finish()
}

// finish is the end of the last run.
func (m *monitor) finish() {
	m.net.stop()
	m.phase = exited
	m.status.State = protocol.StateExited
	m.save()
	m.hub.SetInput(nil)
	m.hub.StopListening()
	m.hub.Tell(protocol.FrameExited, protocol.Exit{
		Code: int(m.status.ExitCode), At: m.status.ExitedAt, OOM: m.status.OOM, Restarts: int(m.status.Restarts),
	}.Append(nil))
	m.cleanUnlessSomeoneDoes()
}

// cleanUnlessSomeoneDoes leaves the clean-up to who is connected for it, until Cleaned, OwnerGone or StopperGone.
func (m *monitor) cleanUnlessSomeoneDoes() {
	if m.req.OwnerCleans && m.hub.OwnerConnected() || m.hub.StopperConnected() {
		return
	}
	m.cleanUp()
}

// fail is the end without a run. The owner is told why and clears up, once it has said Cleaned: it may be dying, of which
// the monitor hears when the last of its threads has.
func (m *monitor) fail(err error) {
	text, frame := err.Error(), protocol.FrameRefused
	if errors.As(err, new(runtimeError)) {
		frame = protocol.FrameFailed
	}
	m.net.stop()
	m.phase = exited
	m.status.State, m.status.Error, m.status.ExitedAt = protocol.StateExited, text, time.Now()
	m.save()
	m.hub.SetInput(nil)
	m.hub.StopListening()
	told := m.hub.OwnerConnected()
	m.hub.Tell(frame, []byte(text[:min(len(text), protocol.MaxPayload)]))
	switch {
	case m.req == nil:
		m.end()
	case !told:
		m.cleanUp()
	}
}

// Cleaned is the owner's word that it has cleaned up.
func (m *monitor) Cleaned() {
	if m.phase == exited {
		m.end()
	}
}

// OwnerGone is the end of the owner's connection. One that has not cleaned up, as it meant to or had to, is replaced.
func (m *monitor) OwnerGone() {
	switch m.phase {
	case waiting:
		m.phase = done // it never asked for anything, or nothing has been done about it
	case starting:
		m.giveUpUnlessDelivered()
	case exited:
		m.cleanUnlessSomeoneDoes()
	default:
	}
}

// StopperGone is the end of the connection of who wanted to stop the process and clean up, and has not.
func (m *monitor) StopperGone() {
	if m.phase == exited {
		m.cleanUnlessSomeoneDoes()
	}
}

// cleanUp runs the engine's command for it. The command is waited for: when the monitor is gone, so is all of it.
func (m *monitor) cleanUp() {
	m.phase = cleaning
	if len(m.req.Cleanup) == 0 || m.quietly(m.command(m.req.Cleanup...), m.end) != nil {
		m.end()
	}
}

// end ends the monitor once everyone has read what there was: at once, mostly.
func (m *monitor) end() {
	m.phase = settling
	m.loop.After(patience, func() { m.impatient = true })
}

// settled reports whether nobody is owed anything.
func (m *monitor) settled() bool {
	if m.phase == settling && (!m.hub.Owed(m.impatient)) {
		m.phase = done
	}
	return m.phase == done
}

// command is one with the environment that the owner asked for.
func (m *monitor) command(argv ...string) reap.Command {
	return reap.Command{Argv: argv, Env: m.req.Env}
}

// quietly runs a command without input or output and calls next when it has ended, however that was.
func (m *monitor) quietly(c reap.Command, next func()) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(null)
	c.FDs = []int{null, null, null}
	_, err = m.reaper.Start(c, func(unix.WaitStatus) { next() })
	return err
}

// deleteContainer has the runtime remove what is left of the container, then calls next.
func (m *monitor) deleteContainer(next func()) {
	if m.req.Kind != protocol.KindContainer || m.quietly(m.command(m.runtimeArgs("delete", "--force", m.req.ID)...), next) != nil {
		next()
	}
}
