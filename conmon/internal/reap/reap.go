// Package reap starts the monitor's children and takes their exits, and those of processes that are handed to it: it
// makes the monitor a child subreaper (prctl(2)), so that the container's main process, whose parent is the runtime,
// becomes the monitor's when the runtime has gone.
//
// A watched process is waited for through a pidfd in the loop. All others are orphans, taken on SIGCHLD. While a runtime
// is at work (Hold) orphans wait: one of them is the main process, whose pid is not yet known.
package reap

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

// Reaper must be made with New.
type Reaper struct {
	loop    *loop.Loop
	watched map[int]int    // pid → pidfd
	takers  map[int]func() // pid → what takes its exit
	held    int
	signals chan os.Signal
	wake    int // eventfd: a signal is in the channel
}

// New makes the process a subreaper. onSignal is called from the loop with SIGTERM, SIGINT and SIGQUIT, and with what Also
// adds; SIGHUP is taken and dropped. (Dropped, not ignored: what is ignored stays so in the container.) Each of them costs two
// rounds between threads of the Go runtime.
func New(l *loop.Loop, onSignal func(syscall.Signal)) (*Reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	r := &Reaper{loop: l, watched: make(map[int]int), takers: make(map[int]func()), signals: make(chan os.Signal, 16), wake: wake}
	signal.Notify(r.signals, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP)
	handed := make(chan os.Signal, 16)
	go r.forward(handed)
	return r, l.Add(wake, loop.In, func(uint32) {
		var count [8]byte
		_, _ = loop.Read(wake, count[:])
		for len(handed) > 0 {
			switch s := <-handed; s {
			case unix.SIGCHLD:
				r.Orphans()
			case unix.SIGHUP:
			default:
				onSignal(s.(syscall.Signal)) //nolint:forcetypeassert // os/signal on Linux hands out nothing else
			}
		}
	})
}

// Also has onSignal called with one more signal.
func (r *Reaper) Also(s syscall.Signal) { signal.Notify(r.signals, s) }

// forward wakes the loop for each signal; it lives as long as the monitor. os/signal has no descriptor to wait on, and a
// signalfd would need the signals blocked in threads that the Go runtime makes.
func (r *Reaper) forward(handed chan<- os.Signal) {
	one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	for s := range r.signals {
		select {
		case handed <- s:
		default: // the loop has plenty to do and looks at orphans anyway
		}
		_, _ = loop.Write(r.wake, one)
	}
}

// Command is a process to start.
type Command struct {
	Argv []string // Argv[0] is a path
	Env  []string
	FDs  []int // its descriptors 0…
	Free bool  // it is to outlive the monitor: it has a session of its own and stands at /
}

// Start runs a command and calls exited from the loop when it has ended.
func (r *Reaper) Start(c Command, exited func(unix.WaitStatus)) (int, error) {
	files := make([]uintptr, len(c.FDs))
	for i, fd := range c.FDs {
		files[i] = uintptr(fd)
	}
	path, env := c.Argv[0], c.Env
	if len(files) < aboveAll/2 {
		at, marked, done := asReadOnly(path, env)
		defer done()
		path, env = at, marked
	}
	attributes := syscall.ProcAttr{Env: env, Files: files}
	if c.Free {
		attributes.Dir, attributes.Sys = "/", &syscall.SysProcAttr{Setsid: true}
	}
	pid, err := forkExec(path, c.Argv, &attributes)
	if err != nil {
		return 0, &os.PathError{Op: "exec", Path: c.Argv[0], Err: err}
	}
	return pid, r.Watch(pid, exited)
}

// Watch calls exited from the loop when pid has ended, which is a child or about to become one. The zombie is kept until
// then, so the pid is not reused.
func (r *Reaper) Watch(pid int, exited func(unix.WaitStatus)) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	r.watched[pid] = fd
	take := func() {
		status, err := wait(pid)
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		if errors.Is(err, unix.ECHILD) && unix.PidfdSendSignal(fd, 0, nil, 0) == nil {
			// It is dead, but its parent is not: crun leaves the container's process to a copy of itself, which ends a
			// little later. The end of that is an orphan's, and then it is asked again.
			r.loop.Remove(fd)
			return
		}
		if err != nil {
			status = unix.WaitStatus(unix.SIGKILL) // somebody else has taken the exit; no code is known
		}
		r.Forget(pid)
		exited(status)
		r.Orphans() // which stopped at this one
	}
	r.takers[pid] = take
	return r.loop.Add(fd, loop.In, func(uint32) { take() })
}

// Kill sends a signal to a watched process; fine with one that has ended.
func (r *Reaper) Kill(pid int, s syscall.Signal) {
	if fd, ok := r.watched[pid]; ok {
		_ = unix.PidfdSendSignal(fd, s, nil, 0)
	}
}

// Forget ends a Watch: somebody else has taken the exit.
func (r *Reaper) Forget(pid int) {
	if fd, ok := r.watched[pid]; ok {
		delete(r.watched, pid)
		delete(r.takers, pid)
		r.loop.Remove(fd)
		_ = unix.Close(fd)
	}
}

// wait takes the exit of a child; EAGAIN: it lives; ECHILD: it is not ours.
func wait(pid int) (status unix.WaitStatus, err error) {
	for {
		got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case got != pid:
			return 0, unix.EAGAIN
		default:
			return status, nil
		}
	}
}

// Hold keeps orphans until Release.
func (r *Reaper) Hold() { r.held++ }

// Release ends a Hold and takes what has come meanwhile.
func (r *Reaper) Release() {
	r.held--
	r.Orphans()
}

// Orphans takes the exits of all children that nobody watches, and those of watched ones that come in between.
func (r *Reaper) Orphans() {
	for r.held == 0 {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
			return
		}
		pid := sigchldPID(&info)
		if pid == 0 {
			return
		}
		if take, ours := r.takers[pid]; ours {
			take()
			return // it came back here
		}
		if _, err := wait(pid); err != nil {
			return
		}
	}
}

// Code is the exit code for a wait status, as a shell has it.
func Code(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
