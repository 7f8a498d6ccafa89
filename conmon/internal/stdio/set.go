// Package stdio holds the monitor's ends of the container's stdin, stdout and stderr: pipes, or one pty master that the
// runtime sends over a console socket. A Set serves one run of the process; a restart makes a new one.
//
// Nothing is read before Begin: until the runtime has said that the process runs, what arrives on stderr may be the
// runtime's own words, which are an error message and not output.
package stdio

import (
	"os"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

// Config says what a Set has.
type Config struct {
	Loop        *loop.Loop
	Terminal    bool
	Stdin       bool // else /dev/null
	Passthrough bool // the child gets the monitor's own 0, 1 and 2
	Height      uint16
	Width       uint16
	Sink        Sink
	Drained     func() // Input.Full stopped being true
}

// Set is the stdio of one run.
type Set struct {
	loop    *loop.Loop
	sink    Sink
	buf     []byte
	drained func()
	child   []int // descriptors the runtime gets, closed by Started
	ours    []int // of these, what is not the monitor's own

	Input    *Input // nil: /dev/null, or passed through
	outputs  [2]*Output
	errPipe  int // reading end of the runtime's stderr while it is not an Output; -1: none
	console  *console
	height   uint16
	width    uint16
	begun    bool
	closed   bool
	terminal bool
}

// New makes the descriptors. buf is for reading; it is shared by all sets, one after the other.
func New(c Config, buf *[]byte) (*Set, error) {
	if *buf == nil {
		*buf = make([]byte, Room+chunk)
	}
	s := &Set{
		loop: c.Loop, sink: c.Sink, buf: *buf, drained: c.Drained, errPipe: -1,
		height: c.Height, width: c.Width, terminal: c.Terminal,
	}
	var err error
	switch {
	case c.Terminal:
		err = s.makeTerminal()
	case c.Passthrough:
		s.child = []int{0, 1, 2}
	default:
		err = s.makePipes(c.Stdin)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Set) makePipes(stdin bool) error {
	in, err := s.null()
	if stdin {
		var p [2]int
		if p, err = pipe(); err == nil {
			in = p[0]
			s.Input, err = newInput(s.loop, p[1], false, s.drained)
			_ = unix.SetNonblock(p[1], true)
		}
	}
	if err != nil {
		return err
	}
	s.child = append(s.child, in)
	s.ours = append(s.ours, in)
	for i := range s.outputs {
		p, err := pipe()
		if err != nil {
			return err
		}
		s.child = append(s.child, p[1])
		s.ours = append(s.ours, p[1])
		_ = unix.SetNonblock(p[0], true)
		s.outputs[i] = newOutput(s, p[0], Stream(i+1))
	}
	return nil
}

// makeTerminal gives the runtime /dev/null and a pipe for its words; the pty comes over the console socket.
func (s *Set) makeTerminal() error {
	null, err := s.null()
	if err != nil {
		return err
	}
	s.ours = append(s.ours, null)
	p, err := pipe()
	if err != nil {
		return err
	}
	_ = unix.SetNonblock(p[0], true)
	s.errPipe = p[0]
	s.ours = append(s.ours, p[1])
	s.child = []int{null, null, p[1]}
	s.console, err = listenConsole(s.loop, s.gotMaster)
	return err
}

func (s *Set) null() (int, error) {
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	return fd, nil
}

func pipe() (p [2]int, err error) {
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return p, os.NewSyscallError("pipe2", err)
	}
	return p, nil
}

// Child is the runtime's descriptors 0, 1 and 2.
func (s *Set) Child() []int { return s.child }

// ConsoleArg is the value of the runtime's --console-socket, or "".
func (s *Set) ConsoleArg() string {
	if s.console == nil {
		return ""
	}
	return s.console.path
}

// Started closes the child's ends, once the runtime has them.
func (s *Set) Started() {
	for _, fd := range s.ours {
		_ = unix.Close(fd)
	}
	s.ours = nil
}

// RuntimeStderr is what the runtime has written to stderr; for a start that failed.
func (s *Set) RuntimeStderr() []byte {
	fd := s.errPipe
	if fd < 0 && s.outputs[1] != nil {
		fd = s.outputs[1].fd
	}
	var text []byte
	for fd >= 0 && len(text) < 16<<10 {
		n, _ := loop.Read(fd, s.buf)
		if n == 0 {
			break
		}
		text = append(text, s.buf[:n]...)
	}
	return text
}

// Begin begins to read: the process runs.
func (s *Set) Begin() error {
	if s.console != nil {
		s.console.poll() // the runtime sent it before it ended, but its event may come later
		s.console.close()
	}
	if s.errPipe >= 0 {
		_ = unix.Close(s.errPipe)
		s.errPipe = -1
	}
	s.begun = true
	return s.Resume()
}

// Pause stops reading, Resume goes on. They block the container when the kernel's buffers are full.
func (s *Set) Pause() {
	for _, o := range s.outputs {
		o.pause()
	}
}

// Resume ends a Pause.
func (s *Set) Resume() error {
	if !s.begun || s.closed {
		return nil
	}
	for _, o := range s.outputs {
		if err := o.resume(); err != nil {
			return err
		}
	}
	return nil
}

// Drain takes all output that is there. After the exit of the process this is all of its output: what another process
// that holds the pipe may write later is not waited for.
func (s *Set) Drain() {
	for _, o := range s.outputs {
		o.drain()
	}
}

// Resize sets the size of the terminal; fine without one.
func (s *Set) Resize(height, width uint16) {
	s.height, s.width = height, width
	if s.terminal && s.outputs[0] != nil && s.outputs[0].fd >= 0 {
		_ = unix.IoctlSetWinsize(s.outputs[0].fd, unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width})
	}
}

// gotMaster takes the pty master.
func (s *Set) gotMaster(fd int) error {
	_ = unix.SetNonblock(fd, true)
	writer, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // epoll tells the two uses apart
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	s.outputs[0] = newOutput(s, fd, Stdout)
	if s.height > 0 && s.width > 0 {
		s.Resize(s.height, s.width)
	}
	s.Input, err = newInput(s.loop, writer, true, s.drained)
	return err
}

// Close closes all of it.
func (s *Set) Close() {
	if s == nil || s.closed {
		return
	}
	s.closed = true
	s.Started()
	s.Input.Close()
	for _, o := range s.outputs {
		o.close()
	}
	if s.errPipe >= 0 {
		_ = unix.Close(s.errPipe)
	}
	if s.console != nil {
		s.console.close()
	}
}
