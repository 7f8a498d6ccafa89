package stdio

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/protocol"
)

// rig is a set, its loop and what it has taken.
type rig struct {
	*Set
	loop    *loop.Loop
	got     map[Stream]*bytes.Buffer
	drained int
}

func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	r := &rig{loop: l, got: map[Stream]*bytes.Buffer{Stdout: {}, Stderr: {}}}
	c.Loop = l
	c.Sink = func(s Stream, buf []byte) { r.got[s].Write(buf[Room:]) }
	c.Drained = func() { r.drained++ }
	var buf []byte
	if r.Set, err = New(c, &buf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func (r *rig) run(t *testing.T, done func() bool) {
	t.Helper()
	late := false
	guard := r.loop.After(20*time.Second, func() { late = true })
	if err := r.loop.Run(func() bool { return late || done() }); err != nil {
		t.Fatal(err)
	}
	r.loop.Stop(guard)
	if late {
		t.Fatal("it did not come to its end")
	}
}

func say(t *testing.T, fd int, text string) {
	t.Helper()
	if n, err := loop.Write(fd, []byte(text)); err != nil || n != len(text) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func TestOutputComesByStream(t *testing.T) {
	r := newRig(t, Config{})
	child := r.Child()
	say(t, child[1], "out")
	say(t, child[2], "err")
	if err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	r.run(t, func() bool { return r.got[Stdout].Len() == 3 && r.got[Stderr].Len() == 3 })
	if r.got[Stdout].String() != "out" || r.got[Stderr].String() != "err" {
		t.Errorf("%q and %q", r.got[Stdout], r.got[Stderr])
	}
	if Stdout.String() != "stdout" || Stderr.String() != "stderr" {
		t.Error("a stream has another's name")
	}
}

func TestNothingIsReadBeforeBegin(t *testing.T) {
	r := newRig(t, Config{})
	say(t, r.Child()[2], "the runtime's words")
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	fired := false
	r.loop.After(time.Millisecond, func() { fired = true })
	r.run(t, func() bool { return fired })
	if r.got[Stderr].Len() != 0 {
		t.Errorf("%q is read", r.got[Stderr])
	}
	r.Started()
	if got := string(r.RuntimeStderr()); got != "the runtime's words" {
		t.Errorf("the runtime has said %q", got)
	}
}

func TestPauseAndDrain(t *testing.T) {
	r := newRig(t, Config{})
	if err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	r.Pause()
	say(t, r.Child()[1], strings.Repeat("x", 50_000)) // less than a pipe holds
	fired := false
	r.loop.After(time.Millisecond, func() { fired = true })
	r.run(t, func() bool { return fired })
	if r.got[Stdout].Len() != 0 {
		t.Error("it is read while paused")
	}
	r.Drain() // with the writer still there
	if r.got[Stdout].Len() != 50_000 {
		t.Errorf("%d bytes, want 50000", r.got[Stdout].Len())
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	say(t, r.Child()[1], "y")
	r.run(t, func() bool { return r.got[Stdout].Len() == 50_001 })
}

func TestInput(t *testing.T) {
	r := newRig(t, Config{Stdin: true})
	in := r.Child()[0]
	big := bytes.Repeat([]byte("x"), 200_000) // more than a pipe holds
	r.Input.Write(big)
	r.Input.Write([]byte("end"))
	if !r.Input.Full() {
		t.Fatal("it says that it has room though the pipe is full")
	}
	r.Input.End()
	r.Input.Write([]byte("after the end"))
	if err := unix.SetNonblock(in, true); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	buf := make([]byte, 32<<10)
	ended := false
	if err := r.loop.Add(in, loop.In, func(uint32) {
		n, err := loop.Read(in, buf)
		got.Write(buf[:n])
		ended = n == 0 && err == nil
	}); err != nil {
		t.Fatal(err)
	}
	r.run(t, func() bool { return ended })
	r.loop.Remove(in)
	if want := string(big) + "end"; got.String() != want {
		t.Errorf("%d bytes, want %d", got.Len(), len(want))
	}
	if r.Input.Full() || r.drained != 1 {
		t.Errorf("full %v, told %d times; want false, 1", r.Input.Full(), r.drained)
	}
	r.Input.Write([]byte("x")) // fine, goes nowhere
	r.Input.End()
	r.Input.Close()
}

func TestInputWithoutAReader(t *testing.T) {
	r := newRig(t, Config{Stdin: true})
	r.Input.Write(make([]byte, 200_000))
	r.Started() // closes the child's end
	r.run(t, func() bool { return r.drained > 0 })
	if r.Input.Full() {
		t.Error("it waits for a reader that has gone")
	}
	var none *Input // a container without stdin
	none.Write([]byte("x"))
	none.End()
	none.Close()
	if none.Full() {
		t.Error("no input is full")
	}
}

func TestWithoutStdinTheChildHasNull(t *testing.T) {
	for name, c := range map[string]Config{"pipes": {}, "terminal": {Terminal: true}} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			r := newRig(t, c)
			var null, st unix.Stat_t
			if err := unix.Stat("/dev/null", &null); err != nil {
				t.Fatal(err)
			}
			if err := unix.Fstat(r.Child()[0], &st); err != nil || st.Rdev != null.Rdev {
				t.Errorf("device %d, %v, want %d", st.Rdev, err, null.Rdev)
			}
		})
	}
}

func TestTerminalComesOverTheSocket(t *testing.T) {
	t.Chdir(t.TempDir())
	r := newRig(t, Config{Terminal: true, Height: 24, Width: 81})
	if st, err := os.Lstat(protocol.ConsoleFile); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v, %v, want mode 0600", st, err)
	}
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := unix.Open("/dev/pts/"+strconv.Itoa(number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminal can be opened here: %v", err)
	}
	defer unix.Close(slave)
	runtime, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(runtime)
	if err := unix.Connect(runtime, &unix.SockaddrUnix{Name: r.ConsoleArg()}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendmsg(runtime, []byte("name"), unix.UnixRights(master), nil, 0); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(master)
	if err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(protocol.ConsoleFile); err == nil {
		t.Error("the socket is left")
	}
	size, err := unix.IoctlGetWinsize(slave, unix.TIOCGWINSZ)
	if err != nil || size.Row != 24 || size.Col != 81 {
		t.Errorf("size %+v, %v, want 24 by 81", size, err)
	}
	say(t, slave, "hello")
	r.run(t, func() bool { return r.got[Stdout].Len() >= 5 })
	r.Input.Write([]byte("typed\n"))
	var p [64]byte
	if n, err := loop.Read(slave, p[:]); err != nil || string(p[:n]) != "typed\n" {
		t.Errorf("%q, %v", p[:n], err)
	}
	r.Resize(10, 20)
	if size, err = unix.IoctlGetWinsize(slave, unix.TIOCGWINSZ); err != nil || size.Row != 10 || size.Col != 20 {
		t.Errorf("size %+v, %v, want 10 by 20", size, err)
	}
}

func TestCloseTwice(t *testing.T) {
	r := newRig(t, Config{Stdin: true})
	r.Close()
	r.Close()
	(*Set)(nil).Close()
	if err := r.Resume(); err != nil {
		t.Errorf("Resume after Close: %v", err)
	}
}
