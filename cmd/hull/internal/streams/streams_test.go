package streams

import (
	"os"
	"testing"
)

func TestBuffersAreNoTerminal(t *testing.T) {
	s, b := Test()
	if s.InIsTerminal() || s.OutIsTerminal() || s.ErrIsTerminal() || s.Width() != 0 {
		t.Errorf("buffers say that they are a terminal of width %d", s.Width())
	}
	b.In.WriteString("x")
	buf := make([]byte, 2)
	if n, _ := s.In.Read(buf); n != 1 {
		t.Errorf("read %d bytes of what the test put in, want 1", n)
	}
}

func TestTerminalOfATest(t *testing.T) {
	s, _ := TestTerminal(80)
	if !s.OutIsTerminal() || s.Width() != 80 {
		t.Errorf("terminal %v, width %d; want true, 80", s.OutIsTerminal(), s.Width())
	}
}

func TestFileIsNoTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := Streams{In: f, Out: f, Err: f}
	if s.InIsTerminal() || s.OutIsTerminal() || s.Width() != 0 {
		t.Errorf("%s says that it is a terminal", os.DevNull)
	}
}
