package term_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/term"
)

// openPTY returns both ends of a new pty.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pty here:", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no devpts here:", err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

func TestRawAndBack(t *testing.T) {
	_, slave := openPTY(t)
	before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	state, err := term.MakeRaw(slave)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if raw.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 {
		t.Errorf("raw mode still has local flags %#x", raw.Lflag)
	}
	if got := state.Bytes(); string(got) != string(native(before)) {
		t.Errorf("Bytes is not the struct of before: %x", got)
	}
	if err := state.Restore(); err != nil {
		t.Fatal(err)
	}
	if after, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); *after != *before {
		t.Errorf("restored to %+v, was %+v", after, before)
	}
}

func TestSize(t *testing.T) {
	master, slave := openPTY(t)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 31, Col: 97}); err != nil {
		t.Fatal(err)
	}
	width, height, err := term.Size(slave)
	if err != nil || width != 97 || height != 31 {
		t.Errorf("Size = %d×%d, %v", width, height, err)
	}
}

func TestIsTerminal(t *testing.T) {
	_, slave := openPTY(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if !term.IsTerminal(slave) || term.IsTerminal(null) || term.IsTerminal(nil) {
		t.Error("IsTerminal: want true for a pty, false for /dev/null and nil")
	}
	if _, err := term.MakeRaw(null); err == nil {
		t.Error("raw mode of /dev/null: want an error")
	}
}

// native is the memory of a struct termios.
func native(v *unix.Termios) []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.NativeEndian, v)
	return b.Bytes()
}
