package watch

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/reap"
	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// start has the runtime start the process; it goes on in runtimeExited.
func (m *monitor) start() error {
	m.phase = starting
	if m.status.Restarts == 0 { // else it stays restarting until there is a process
		m.status.State = protocol.StateStarting
		m.save()
	}
	_ = unix.Unlink(protocol.PIDFileName)
	_ = unix.Unlink(protocol.RuntimeLog)
	set, err := stdio.New(stdio.Config{
		Loop: m.loop, Terminal: m.req.Terminal, Stdin: m.req.Stdin || m.req.AttachStdin,
		Passthrough: m.req.LogDriver == protocol.LogPassthrough,
		Height:      uint16(m.req.Height), Width: uint16(m.req.Width),
		Sink: m.output, Drained: m.hub.InputDrained,
	}, &m.buf)
	if err != nil {
		return err
	}
	m.stdio = set
	fds := set.Child()
	for i := range int(m.req.PreserveFDs) {
		fds = append(fds[:len(fds):len(fds)], protocol.OwnerFD+1+i)
	}
	fds = append(fds[:len(fds):len(fds)], m.expectPID()...)
	m.reaper.Hold()
	m.runtime, err = m.reaper.Start(reap.Command{Argv: m.startArgs(), Env: m.req.Env, FDs: fds}, m.runtimeExited)
	set.Started()
	if err != nil {
		m.stopExpecting()
		m.reaper.Release()
		return err
	}
	m.dieOfPID()
	if !m.hub.OwnerConnected() {
		m.giveUpUnlessDelivered()
	}
	return nil
}

// giveUpUnlessDelivered ends a runtime that waits for its spec from an owner who has gone: config.json is still a FIFO.
func (m *monitor) giveUpUnlessDelivered() {
	var st unix.Stat_t
	if unix.Lstat(m.req.Bundle+"/"+protocol.SpecFile, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
		m.cancelled = true
		m.reaper.Kill(m.runtime, unix.SIGKILL)
	}
}

// runtimeArgs is the runtime's own part of each command line.
func (m *monitor) runtimeArgs(more ...string) []string {
	args := append([]string{m.req.Runtime}, m.req.RuntimeArgs...)
	args = append(args, "--log", m.req.Dir+"/"+protocol.RuntimeLog, "--log-format", "json")
	return append(args, more...)
}

func (m *monitor) startArgs() []string {
	var args []string
	switch {
	case m.req.Kind == protocol.KindExec:
		args = m.runtimeArgs("exec", "--detach", "--process", m.req.ProcessFile)
		if m.req.Terminal {
			args = append(args, "--tty") // runc looks at the flag, crun at the process file
		}
	case m.req.Mode == protocol.ModeCreate:
		args = m.runtimeArgs("create", "--bundle", m.req.Bundle)
	default:
		args = m.runtimeArgs("run", "--bundle", m.req.Bundle)
		if !m.early.child {
			args = append(args, "--detach")
		}
	}
	if m.req.Kind == protocol.KindContainer {
		args = append(args, m.req.CreateArgs...)
	}
	args = append(args, "--pid-file", m.req.Dir+"/"+protocol.PIDFileName)
	if socket := m.stdio.ConsoleArg(); socket != "" {
		args = append(args, "--console-socket", socket)
	}
	if m.req.PreserveFDs > 0 {
		args = append(args, "--preserve-fds", strconv.FormatInt(m.req.PreserveFDs, 10))
	}
	return append(args, m.req.ID)
}

// runtimeExited goes on after the runtime: the process is there, or the runtime has said why not.
func (m *monitor) runtimeExited(status unix.WaitStatus) {
	m.runtime = 0
	var err error
	switch {
	case m.phase != running: // else it was taken over early
		err = m.running(status)
		m.stopExpecting()
	case m.early.child && !status.Signaled(): // it has waited for the process
		m.reaper.Forget(int(m.status.PID))
		m.early.exit = &status
	}
	m.reaper.Release()
	if err == nil {
		if status := m.early.exit; status != nil {
			m.early.exit = nil
			m.processExited(*status)
		}
		return
	}
	m.stdio.Close()
	m.stdio = nil
	// What the runtime refused may have left something all the same: runc leaves a container whose process did not start.
	m.deleteContainer(func() {
		if m.status.Restarts > 0 {
			m.restartFailed(err.Error())
		} else {
			m.fail(err)
		}
	})
}

// runtimeError is in the runtime's own words.
type runtimeError string

func (e runtimeError) Error() string { return string(e) }

// running takes the process over from the runtime.
func (m *monitor) running(status unix.WaitStatus) error {
	switch {
	case m.cancelled:
		return errors.New("the start was cancelled")
	case m.early.child:
		return m.ran(status)
	case reap.Code(status) != 0:
		return runtimeError(m.runtimeWords(status))
	}
	pid, err := m.readPID()
	if err != nil {
		return err
	}
	return m.takeOver(pid)
}

// ran takes over from a runtime that was the process' parent. If there was a pid and the process is not the monitor's now, the runtime
// has waited for it and ended with its code.
func (m *monitor) ran(status unix.WaitStatus) error {
	pid, err := m.readPID()
	if err != nil {
		return runtimeError(m.runtimeWords(status))
	}
	if protocol.Parent(pid) != os.Getpid() {
		m.early.exit = &status
	}
	return m.takeOver(pid)
}

// takeOver watches the process from here on, unless its exit is known, and tells the owner.
func (m *monitor) takeOver(pid int) error {
	m.status.PID, m.status.PIDStart, m.status.PIDNumber, m.status.Started = int64(pid), startTime(pid), processNumber(pid), time.Now()
	m.status.State, m.status.Error = protocol.StateRunning, ""
	m.status.OOM, m.status.ExitCode, m.status.ExitedAt = false, 0, time.Time{}
	if m.req.Kind == protocol.KindContainer && m.req.Mode == protocol.ModeCreate && m.status.Restarts == 0 {
		m.status.State = protocol.StateCreated
	}
	if m.req.PIDFile != "" {
		if err := replaceFile(m.req.PIDFile, pidText(pid)); err != nil {
			_ = unix.Kill(pid, unix.SIGKILL)
			return err
		}
	}
	if m.early.exit == nil {
		m.memory = watchMemory(m.loop, pid)
		if err := m.reaper.Watch(pid, m.processExited); err != nil {
			return err
		}
	}
	m.phase = running
	m.save()
	if m.req.Timeout > 0 {
		m.timeout = m.loop.After(time.Duration(m.req.Timeout)*time.Second, m.timeOut)
	}
	m.restarts.began(m.status.Started)
	if m.status.Restarts == 0 {
		m.hub.TellOwner(protocol.FrameStarted, protocol.AppendPID(nil, pid))
	}
	err := m.stdio.Begin()
	m.hub.SetInput(m.stdio.Input)
	if m.restarts.stopped {
		m.reaper.Kill(pid, unix.SIGKILL)
	}
	if m.req.NetPIDFile != "" && m.net == nil {
		m.net = watchHullNet(m.loop, m.req.NetPIDFile, m.startHullNet)
	}
	return err
}

// output is where the container's output goes: the log, then the clients.
func (m *monitor) output(s stdio.Stream, buf []byte) {
	m.log.Write(s, buf[stdio.Room:])
	m.hub.Output(s, buf)
}

// runtimeWords is why the runtime failed: the last error in its log, else what it wrote to stderr, word for word.
func (m *monitor) runtimeWords(status unix.WaitStatus) string {
	data, _ := protocol.ReadFile(protocol.RuntimeLog)
	if text := lastError(data); text != "" {
		return text
	}
	if text := strings.TrimSpace(string(m.stdio.RuntimeStderr())); text != "" {
		return text
	}
	return "the runtime ended with exit code " + strconv.Itoa(reap.Code(status)) + " and said nothing"
}

// timeOut ends the process for Request.Timeout.
func (m *monitor) timeOut() {
	m.timedOut = true
	m.reaper.Kill(int(m.status.PID), unix.SIGKILL)
}
