package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Started is a hull-image that waits for its job, a child of this process.
type Started struct {
	Path   string
	PID    int
	Socket *os.File // our end of its descriptor 3
	Stderr *os.File // of its descriptor 2
}

// process is one whose end is waited for here.
type process struct {
	pid     int
	socket  *os.File
	stderr  tail
	drained chan struct{} // closed when stderr is at its end
	err     error         // why it could not be started; all else is unset then

	mu    sync.Mutex
	ended bool // and the pid may be another's
}

// execute starts the program at path. os/exec would first start a process of its own to see whether the kernel has pidfds.
func execute(path string, env []string) (_ Started, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %q: %w", path, err)
		}
	}()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return Started{}, err
	}
	defer null.Close()
	sockets, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Started{}, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(sockets[1])
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return Started{}, errors.Join(os.NewSyscallError("pipe2", err), unix.Close(sockets[0]))
	}
	defer unix.Close(pipe[1])
	if env == nil {
		env = os.Environ()
	}
	pid, err := syscall.ForkExec(path, []string{filepath.Base(path)}, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{null.Fd(), null.Fd(), uintptr(pipe[1]), uintptr(sockets[1])},
	})
	if err != nil {
		return Started{}, errors.Join(err, unix.Close(sockets[0]), unix.Close(pipe[0]))
	}
	return Started{path, pid, os.NewFile(uintptr(sockets[0]), "hull-image"), os.NewFile(uintptr(pipe[0]), "hull-image")}, nil
}

func newProcess(s Started) *process {
	p := &process{pid: s.PID, socket: s.Socket, drained: make(chan struct{})}
	go func() {
		defer close(p.drained)
		defer s.Stderr.Close()
		_, _ = io.Copy(&p.stderr, s.Stderr)
	}()
	return p
}

// ask hands over the request, and with it the files that take the places of standard input and output.
func (p *process) ask(request []byte, stdin, stdout *os.File) error {
	var rights []byte
	if stdin != nil || stdout != nil {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer null.Close()
		if stdin == nil {
			stdin = null
		}
		if stdout == nil {
			stdout = null
		}
		rights = unix.UnixRights(int(stdin.Fd()), int(stdout.Fd()))
	}
	n, err := unix.SendmsgN(int(p.socket.Fd()), request, rights, nil, unix.MSG_NOSIGNAL)
	runtime.KeepAlive(stdin)
	runtime.KeepAlive(stdout)
	if err == nil {
		_, err = p.socket.Write(request[n:])
	}
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil // a process that died tells more by its answer
	}
	return err
}

// hangUp cancels the job.
func (p *process) hangUp() {
	if raw, err := p.socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
}

// release ends one that got no job, without waiting for it.
func (p *process) release() {
	if p.err == nil {
		_ = p.socket.Close()
		go func() { _ = p.wait() }()
	}
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		_ = unix.Kill(p.pid, unix.SIGKILL)
	}
}

// wait waits for the end and tells how it came, as an error when not by exit 0.
func (p *process) wait() error {
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		err = unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	var status unix.WaitStatus
	if err == nil {
		_, err = unix.Wait4(p.pid, &status, 0, nil)
	}
	switch {
	case err != nil:
		return os.NewSyscallError("wait", err)
	case status.Signaled():
		return fmt.Errorf("signal: %s", status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return nil
}

// lastWords is what a process that has ended said in the end. Its children may hold the pipe open: gpg's agent stays.
func (p *process) lastWords() string {
	select {
	case <-p.drained:
		return p.stderr.String()
	case <-time.After(time.Second):
		return ""
	}
}

// tail keeps the end of what is written to it.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	const keep = 64 << 10
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - keep; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

// String is the line that says most: the first of a panic, else the last.
func (t *tail) String() string {
	text := string(bytes.TrimSpace(t.buf))
	if i := strings.Index(text, "panic: "); i >= 0 {
		text, _, _ = strings.Cut(text[i:], "\n")
		return text
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}
