// Package watch is the life of the monitor: start the process through the runtime, serve it, take its exit, start it
// again if the policy says so, and see to the clean-up.
//
//	waiting ──Request──> starting ──pid──> running ──exit──> restarting ──backoff──> starting
//	                        │                 │                   │
//	                        └──runtime fails──┴──exit, no more────┴──NoRestart──> exited ──> cleaning ──> settling ──> done
//
// The status file is written on each arrow before anyone is told.
package watch

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/attach"
	"hull.dev/hull/conmon/internal/logs"
	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/reap"
	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// phase is where the monitor is in the drawing above.
type phase int

const (
	waiting phase = iota
	starting
	running
	restarting
	exited
	cleaning
	settling
	done
)

// monitor is all of it; every method runs in the loop.
type monitor struct {
	loop   *loop.Loop
	reaper *reap.Reaper
	hub    *attach.Hub
	log    logs.Log
	req    *protocol.Request
	phase  phase
	status protocol.Status
	lock   int // held for life; never closed
	code   int // of the monitor itself

	runtime int // pid of the runtime while it is at work
	early   early
	stdio   *stdio.Set
	buf     []byte // of stdio
	memory  *memory
	net     *hullNet

	timeout   *loop.Timer
	backoff   *loop.Timer
	restarts  restarts
	cancelled bool // told to go while the runtime was at work
	timedOut  bool
	impatient bool // settling takes too long
}

// Main is the program. Its exit code tells nobody anything but a test.
func Main() int {
	m := &monitor{log: logs.Discard(), lock: -1, early: early{pipe: -1, dir: -1}}
	if err := m.setUp(); err != nil {
		_, _ = os.Stderr.WriteString("hull-conmon: " + err.Error() + "\n")
		return 1
	}
	if err := m.loop.Run(m.settled); err != nil {
		_, _ = os.Stderr.WriteString("hull-conmon: " + err.Error() + "\n")
		m.code = 1
	}
	m.hub.Close()
	m.log.Close()
	m.loop.Close()
	if m.req != nil {
		for _, dir := range m.req.Discard {
			protocol.Empty(dir)
		}
	}
	return m.code
}

func (m *monitor) setUp() (err error) {
	if err := unix.SetNonblock(protocol.OwnerFD, true); err != nil {
		return errors.New("descriptor " + strconv.Itoa(protocol.OwnerFD) + " is not the owner's socket: it is started by hull, not by hand")
	}
	unix.CloseOnExec(protocol.OwnerFD)
	if m.loop, err = loop.New(); err != nil {
		return err
	}
	if m.reaper, err = reap.New(m.loop, m.signal); err != nil {
		return err
	}
	m.hub = attach.New(m.loop, protocol.OwnerFD, m)
	return nil
}

// Request begins the work. It is called from within the read of the frame, so what can fail slowly is left to the loop.
func (m *monitor) Request(payload []byte) protocol.Hello {
	req, err := protocol.DecodeRequest(payload)
	if err != nil {
		m.fail(err)
		return protocol.Hello{}
	}
	if len(req.Env) == 0 {
		req.Env = os.Environ()
	}
	m.req = req
	m.hub.ExpectInput()
	m.loop.After(0, func() {
		if err := m.begin(); err != nil {
			m.fail(err)
		}
	})
	return protocol.Hello{Stdin: req.AttachStdin, Stdout: req.AttachStdout, Stderr: req.AttachStderr}
}

// begin takes possession of Dir, once, and starts the process. An owner who has gone already leaves nothing to begin.
func (m *monitor) begin() error {
	if m.phase == done {
		return nil
	}
	if err := unix.Chdir(m.req.Dir); err != nil {
		return &os.PathError{Op: "chdir", Path: m.req.Dir, Err: err}
	}
	if err := m.takeLock(); err != nil {
		return err
	}
	for i := range int(m.req.PreserveFDs) {
		unix.CloseOnExec(protocol.OwnerFD + 1 + i)
	}
	m.hub.SpillDir(spillDir(m.req))
	m.status.MonitorPID = int64(os.Getpid())
	if m.req.MonitorPIDFile != "" {
		if err := replaceFile(m.req.MonitorPIDFile, pidText(os.Getpid())); err != nil {
			return err
		}
	}
	log, err := logs.Open(m.req)
	if err != nil {
		return err
	}
	m.log = log
	if err := m.hub.Listen(); err != nil {
		return err
	}
	return m.start()
}

// Resize sets the size of the container's terminal, and of the next one after a restart.
func (m *monitor) Resize(size protocol.Size) {
	if m.req == nil {
		return
	}
	m.req.Height, m.req.Width = int64(size.Height), int64(size.Width)
	if m.stdio != nil {
		m.stdio.Resize(size.Height, size.Width)
	}
}

// Stall stops reading from the container while the owner's queue cannot grow.
func (m *monitor) Stall(full bool) {
	if m.stdio == nil {
		return
	}
	if full {
		m.stdio.Pause()
	} else {
		_ = m.stdio.Resume()
	}
}

// PID is that of the process, or 0.
func (m *monitor) PID() int {
	if m.phase == running {
		return int(m.status.PID)
	}
	return 0
}

// signal is a change in Dir, or SIGTERM and its like. While the runtime is at work it is how the owner takes the start
// back; later it is meant for the container, as with conmon: systemd sends it to the main process of a unit, which this
// may be.
func (m *monitor) signal(s syscall.Signal) {
	if s == unix.SIGIO {
		m.pidWritten()
		return
	}
	switch m.phase {
	case waiting:
		m.phase = done
	case starting:
		m.cancelled = true
		m.reaper.Kill(m.runtime, unix.SIGKILL)
	case running:
		m.reaper.Kill(int(m.status.PID), s)
	case restarting:
		m.NoRestart()
	default:
	}
}

// spillDir is where output waits for slow clients: beside the log, on a disk; Dir is usually in memory.
func spillDir(r *protocol.Request) string {
	for i := len(r.LogPath) - 1; i > 0; i-- {
		if r.LogPath[i] == '/' {
			return r.LogPath[:i]
		}
	}
	return "."
}
