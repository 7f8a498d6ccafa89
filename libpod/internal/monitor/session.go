package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
)

var (
	// ErrGone means that the monitor has died without a word: it was killed. The container may live.
	ErrGone = errors.New("the monitor has gone")
	// ErrNotRunning means that no monitor serves attachers: the process has ended or never began.
	ErrNotRunning = errors.New("no monitor listens")
	// ErrDetached means that the user typed the detach keys.
	ErrDetached = errors.New("detached")
)

// Session is a connection to a monitor: the owner's or an attacher's. Attach, Wait and Close may not run at once but for
// Close; Resize may.
type Session struct {
	conn    *net.UnixConn
	frames  *protocol.Reader
	dir     string
	wants   protocol.Hello
	pid     int
	monitor int
	mu      sync.Mutex // of writes to conn
}

func newSession(f *os.File, dir string, wants protocol.Hello) (*Session, error) {
	c, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("use monitor socket: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("use monitor socket: not a unix socket")
	}
	return &Session{conn: conn, frames: protocol.NewReader(conn), dir: dir, wants: wants}, nil
}

// PID is that of the process when the session began; 0 when the container was between two runs.
func (s *Session) PID() int { return s.pid }

// Monitor is the pid of the monitor, of a session made by Start.
func (s *Session) Monitor() int { return s.monitor }

func (s *Session) send(t protocol.Type, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conn.Write(protocol.AppendFrame(nil, t, payload)); err != nil {
		return fmt.Errorf("tell monitor: %w", err)
	}
	return nil
}

// awaitStart waits for Started or Failed. When ctx ends, cancel is called once and the answer still waited for: the
// monitor ends what the runtime has begun.
func (s *Session) awaitStart(ctx context.Context, runtime string, cancel func()) error {
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	t, payload, err := s.frames.Next()
	if err != nil {
		return s.lost(err)
	}
	s.answer(t)
	if ctx.Err() != nil && t != protocol.FrameStarted {
		return context.Cause(ctx)
	}
	switch t {
	case protocol.FrameStarted:
		s.pid, err = protocol.ParsePID(payload)
		return err
	case protocol.FrameExited: // before it came to greet who attaches
		return ErrGone
	case protocol.FrameFailed:
		return runtimeError(runtime, string(payload))
	case protocol.FrameRefused, protocol.FrameDropped:
		return errors.New(string(payload))
	default:
		return fmt.Errorf("the monitor began with frame %q", t)
	}
}

// answer tells the monitor that a failed start was heard of: what is left of it is the owner's to clear away. Else the monitor does it.
func (s *Session) answer(t protocol.Type) {
	if t == protocol.FrameFailed || t == protocol.FrameRefused {
		_ = s.Cleaned() // a monitor that has gone is told by what is read next
	}
}

// lost turns the end of the connection into ErrGone, unless the status file knows more.
func (s *Session) lost(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("listen to monitor: %w", err)
	}
	return ErrGone
}

// exit is how the process ended, when the connection ended without the news but the record is there.
func (s *Session) exit(err error) (define.Exit, error) {
	err = s.lost(err)
	if !errors.Is(err, ErrGone) {
		return define.Exit{}, err
	}
	status, readErr := protocol.ReadStatus(s.dir)
	if readErr != nil || status.State != protocol.StateExited {
		return define.Exit{}, err
	}
	return ExitOf(status), nil
}

// ExitOf is the exit that a status records.
func ExitOf(s protocol.Status) define.Exit {
	return define.Exit{Code: int(s.ExitCode), At: s.ExitedAt, OOM: s.OOM, Restarts: int(s.Restarts), Error: s.Error}
}

// Resize sets the size of the container's terminal. On a connection that sends stdin it may queue behind it: see the
// function Resize.
func (s *Session) Resize(height, width uint16) error {
	return s.send(protocol.FrameResize, protocol.Size{Height: height, Width: width}.Append(nil))
}

// Terminal hands the monitor the client's terminal and the bytes of its termios before raw mode (term.State.Bytes). If
// this process dies without calling Restored, the monitor restores it.
func (s *Session) Terminal(f *os.File, termios []byte) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("hand over terminal: %w", err)
	}
	frame := protocol.AppendFrame(nil, protocol.FrameTerminal, termios)
	s.mu.Lock()
	defer s.mu.Unlock()
	var sent int
	controlErr := raw.Control(func(fd uintptr) {
		sent, _, err = s.conn.WriteMsgUnix(frame, unix.UnixRights(int(fd)), nil)
	})
	if err == nil && sent < len(frame) {
		_, err = s.conn.Write(frame[sent:])
	}
	if err = errors.Join(err, controlErr); err != nil {
		return fmt.Errorf("hand over terminal: %w", err)
	}
	return nil
}

// Restored says that this process has put its terminal back.
func (s *Session) Restored() error { return s.send(protocol.FrameRestored, nil) }

// Cleaned says that the owner has cleaned up after the exit (Request.OwnerCleans). A monitor that has gone waits for
// nobody: that is no error.
func (s *Session) Cleaned() error {
	err := s.send(protocol.FrameCleaned, nil)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil
	}
	return err
}

// Detach ends the session on purpose: stdin of the container stays open.
func (s *Session) Detach() error {
	return errors.Join(s.send(protocol.FrameDetach, nil), s.conn.Close())
}

// Close ends the session. Without Detach before it, an owner that sent stdin has ended the container's stdin by this.
func (s *Session) Close() error { return s.conn.Close() }

// Settled waits until the monitor has ended the connection: it is done, cleaned up or not. An owner calls it after Cleaned
// when what follows must find no monitor.
func (s *Session) Settled(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		t, _, err := s.frames.Next()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return nil
		}
		s.answer(t)
	}
}
