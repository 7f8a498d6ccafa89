// Package monitor starts hull-conmon, one for each running container or exec session, and talks to it in the frames of
// conmon/protocol, whose package comment draws who says what. It knows nothing of the engine's state.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/rootless"
)

// Starter starts monitors. Use one for the life of a process: it takes the exits of the monitors it has started.
type Starter struct {
	Path  string // of hull-conmon
	Debug bool   // the monitor's own complaints go to stderr

	mu       sync.Mutex
	children []int
	ahead    *Idle // for the next Spawn
}

// Files are descriptors that go to the monitor.
type Files struct {
	Stdio [3]*os.File // the monitor's own, for protocol.LogPassthrough; nil is /dev/null
	Extra []*os.File  // what the container gets as 3…: Request.PreserveFDs is set from it
}

func (f Files) given() bool { return f.Stdio != [3]*os.File{} || len(f.Extra) > 0 }

// tuning makes the Go runtime of the monitor small. The container's environment is Request.Env.
var tuning = [...]string{rootless.MonitorProcs, rootless.MonitorGC}

// Idle is a monitor that waits for its request. One that gets none ends when the Idle is closed or this process dies.
type Idle struct {
	starter *Starter
	files   Files
	spawned chan struct{} // closed when what is below is set
	socket  *os.File      // nil once a session has it
	pid     int
	err     error

	session *Session // from Begin until Await has its answer
	runtime string
}

// Ahead sees to a monitor for the next Spawn, before it is known what for: the one that came up with this process, or else
// another. One that is not asked for ends with this process.
func (s *Starter) Ahead() {
	i := s.own()
	if i == nil {
		i = s.exec(Files{})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = i
}

// own is the monitor that was executed before Go began, if it is the one that is configured.
func (s *Starter) own() *Idle {
	m := rootless.TakeHelper("hull-conmon")
	if m == nil {
		return nil
	}
	s.mu.Lock()
	s.children = append(s.children, m.PID)
	s.mu.Unlock()
	i := &Idle{starter: s, spawned: make(chan struct{}), socket: m.Socket, pid: m.PID}
	close(i.spawned)
	if m.Path != s.Path || s.Debug {
		i.drop()
		return nil
	}
	return i
}

// Spawn execs a monitor beside what the caller does next. The result must be closed.
func (s *Starter) Spawn(files Files) *Idle {
	s.reap()
	s.mu.Lock()
	i := s.ahead
	s.ahead = nil
	s.mu.Unlock()
	switch {
	case i == nil:
		return s.exec(files)
	case files.given():
		defer i.drop()
		return s.exec(files)
	}
	return i
}

func (s *Starter) exec(files Files) *Idle {
	i := &Idle{starter: s, files: files, spawned: make(chan struct{})}
	go func() {
		defer close(i.spawned)
		ours, theirs, err := socketpair()
		if err != nil {
			i.err = err
			return
		}
		i.pid, i.err = s.spawn(theirs, files)
		_ = theirs.Close()
		if i.err != nil {
			_ = ours.Close()
			return
		}
		i.socket = ours
	}()
	return i
}

// Close ends a monitor that has not started its process, and returns when it has gone.
func (i *Idle) Close(ctx context.Context) {
	i.drop()
	if i.session == nil {
		return
	}
	i.starter.cancel(i.pid)
	undo, cancel := cleanup.Context(ctx)
	defer cancel()
	_ = i.session.Settled(undo)
	_ = i.session.Close()
	i.session = nil
}

// drop lets go of a monitor that has no request: it ends.
func (i *Idle) drop() {
	<-i.spawned
	if i.socket != nil {
		_ = i.socket.Close()
	}
}

// Begin hands the request over: the monitor executes the runtime. A nil Request.Env is that of this process.
func (i *Idle) Begin(req protocol.Request) error {
	if req.Env == nil {
		req.Env = os.Environ()
	}
	req.PreserveFDs = int64(len(i.files.Extra))
	payload, err := req.Encode()
	if err != nil {
		return err
	}
	<-i.spawned
	if i.err != nil {
		return fmt.Errorf("start monitor of %q: %w", req.Name, i.err)
	}
	socket := i.socket
	i.socket = nil
	session, err := newSession(socket, req.Dir, wants(req))
	if err != nil {
		return err
	}
	i.session, i.runtime = session, filepath.Base(req.Runtime)
	return session.send(protocol.FrameRequest, payload)
}

// Await waits until the process of the request has started. An error of the runtime keeps its words and has the exit code
// of podman-run(1): 127 for a command that is not there, 126 for one that cannot be run. When ctx ends first, the monitor
// is told to give the start up and is waited for.
//
// The session must be closed. The monitor lives on.
func (i *Idle) Await(ctx context.Context) (*Session, error) {
	session := i.session
	i.session = nil
	if err := session.awaitStart(ctx, i.runtime, func() { i.starter.cancel(i.pid) }); err != nil {
		_ = session.Close()
		return nil, err
	}
	session.monitor = i.pid
	return session, nil
}

// Start is Spawn, Begin and Await at once.
func (s *Starter) Start(ctx context.Context, req protocol.Request, files Files) (*Session, error) {
	i := s.Spawn(files)
	defer i.Close(ctx)
	if err := i.Begin(req); err != nil {
		return nil, err
	}
	return i.Await(ctx)
}

func wants(r protocol.Request) protocol.Hello {
	return protocol.Hello{Stdin: r.AttachStdin, Stdout: r.AttachStdout, Stderr: r.AttachStderr}
}

// spawn execs the monitor in a session of its own, so that no terminal and no logout reaches it.
func (s *Starter) spawn(socket *os.File, files Files) (int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Env: tuning[:], Sys: &syscall.SysProcAttr{Setsid: true}}
	if zone, ok := os.LookupEnv("TZ"); ok {
		attr.Env = append(tuning[:len(tuning):len(tuning)], "TZ="+zone) // of the times in k8s-file
	}
	for i, f := range files.Stdio {
		if f == nil {
			f = null
			if i == 2 && s.Debug {
				f = os.Stderr
			}
		}
		attr.Files = append(attr.Files, f.Fd())
	}
	attr.Files = append(attr.Files, socket.Fd())
	for _, f := range files.Extra {
		attr.Files = append(attr.Files, f.Fd())
	}
	// os.StartProcess would first start a process of its own to see whether the kernel has pidfds.
	pid, err := syscall.ForkExec(s.Path, []string{filepath.Base(s.Path)}, attr)
	runtime.KeepAlive(files)
	if err != nil {
		return 0, &os.PathError{Op: "exec", Path: s.Path, Err: err}
	}
	s.mu.Lock()
	s.children = append(s.children, pid)
	s.mu.Unlock()
	return pid, nil
}

// cancel asks a monitor to give its start up. It is our child and not waited for, so the pid is its own.
func (s *Starter) cancel(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, child := range s.children {
		if child == pid {
			_ = unix.Kill(pid, unix.SIGTERM)
		}
	}
}

// reap takes the exits of monitors that have ended. A goroutine waiting for each would cost a thread; a zombie until the
// next start costs nothing, and a command's are taken by init.
func (s *Starter) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.children[:0]
	for _, pid := range s.children {
		if got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); got == 0 && err == nil || errors.Is(err, unix.EINTR) {
			live = append(live, pid)
		}
	}
	s.children = live
}

func socketpair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "owner"), nil
}
