// Package streams is what a command reads and writes: its standard input, output and error, and what these are
// connected to. Commands take a Streams and never touch os.Stdin, os.Stdout or os.Stderr, so that a test can give them
// buffers and, if it wants, a terminal that is none.
package streams

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are the three standard streams of a command. Writing is not buffered: who writes many small pieces wraps Out
// in a bufio.Writer.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	fake *fake // nil outside of tests
}

// fake answers the questions about the terminal in place of the kernel.
type fake struct {
	terminal bool
	width    int
}

// System is the process' own streams.
func System() Streams { return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr} }

// Buffers are the ends of a test's streams that the test holds.
type Buffers struct {
	In, Out, Err *bytes.Buffer
}

// Test makes streams over buffers; none of them is a terminal.
func Test() (Streams, Buffers) {
	b := Buffers{new(bytes.Buffer), new(bytes.Buffer), new(bytes.Buffer)}
	return Streams{In: b.In, Out: b.Out, Err: b.Err, fake: &fake{}}, b
}

// TestTerminal makes streams over buffers that answer as a terminal of width columns would.
func TestTerminal(width int) (Streams, Buffers) {
	s, b := Test()
	s.fake = &fake{terminal: true, width: width}
	return s, b
}

// InIsTerminal reports whether the input is a terminal.
func (s Streams) InIsTerminal() bool { return s.isTerminal(s.In) }

// OutIsTerminal reports whether the output is a terminal.
func (s Streams) OutIsTerminal() bool { return s.isTerminal(s.Out) }

// ErrIsTerminal reports whether the error output is a terminal.
func (s Streams) ErrIsTerminal() bool { return s.isTerminal(s.Err) }

// Width is how many columns the output has; 0 means that it is not a terminal, or that the terminal does not know.
func (s Streams) Width() int {
	if s.fake != nil {
		return s.fake.width
	}
	f, ok := s.Out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func (s Streams) isTerminal(stream any) bool {
	if s.fake != nil {
		return s.fake.terminal
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
