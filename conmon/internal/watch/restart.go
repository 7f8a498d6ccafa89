package watch

import (
	"time"

	"hull.dev/hull/conmon/protocol"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Minute
	goodRun      = 10 * time.Second // a run this long starts the backoff anew
)

// restarts is what the restart policy needs to know from one run to the next.
type restarts struct {
	delay   time.Duration // before the next
	since   time.Time     // when the last run began
	stopped bool          // NoRestart
}

func (r *restarts) began(at time.Time) { r.since = at }

// next is how long to wait after a run that ended at at.
func (r *restarts) next(at time.Time) time.Duration {
	if r.delay == 0 || at.Sub(r.since) >= goodRun {
		r.delay = firstBackoff
		return r.delay
	}
	r.delay = min(2*r.delay, lastBackoff)
	return r.delay
}

// mayRestart reports whether the policy wants another run after the one that has ended.
func (m *monitor) mayRestart() bool {
	if m.restarts.stopped || m.timedOut || m.req.Kind != protocol.KindContainer {
		return false
	}
	if m.req.RestartMax > 0 && m.status.Restarts >= m.req.RestartMax {
		return false
	}
	switch m.req.RestartPolicy {
	case protocol.RestartAlways, protocol.RestartUnlessStopped:
		return true
	case protocol.RestartOnFailure:
		return m.status.ExitCode != 0
	}
	return false
}

// waitToRestart waits for the backoff, then restarts.
func (m *monitor) waitToRestart() {
	m.phase = restarting
	m.status.State = protocol.StateRestarting
	m.save()
	m.hub.ExpectInput()
	m.backoff = m.loop.After(m.restarts.next(m.status.ExitedAt), m.restart)
}

// restart runs the container again from the same bundle.
func (m *monitor) restart() {
	m.phase = starting
	m.status.Restarts++
	m.deleteContainer(func() {
		if m.restarts.stopped {
			m.status.Restarts--
			m.finish()
			return
		}
		if err := m.start(); err != nil {
			m.restartFailed(err.Error())
		}
	})
}

// restartFailed is a restart that the runtime refused; for the policy it is a run that failed.
func (m *monitor) restartFailed(text string) {
	m.status.Error, m.status.ExitCode, m.status.ExitedAt = text, failedCode, time.Now()
	m.restarts.began(m.status.ExitedAt)
	if m.mayRestart() {
		m.waitToRestart()
		return
	}
	m.finish()
}

// failedCode is the exit code of a restart that never ran: podman-run(1)'s for an error of the engine.
const failedCode = 125

// NoRestart makes the next exit the last; a restart that is waited for does not come. A restart that is under way is
// killed as soon as it runs: who asked found no process to kill.
func (m *monitor) NoRestart() {
	m.restarts.stopped = true
	if m.phase == restarting {
		m.loop.Stop(m.backoff)
		m.finish()
	}
}
