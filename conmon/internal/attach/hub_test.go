package attach

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// quiet is a monitor that does nothing but remember.
type quiet struct {
	stalled bool
	gone    bool
}

func (*quiet) Request([]byte) protocol.Hello { return protocol.Hello{Stdout: true} }
func (*quiet) Resize(protocol.Size)          {}
func (*quiet) NoRestart()                    {}
func (*quiet) Cleaned()                      {}
func (q *quiet) OwnerGone()                  { q.gone = true }
func (*quiet) StopperGone()                  {}
func (q *quiet) Stall(full bool)             { q.stalled = full }
func (*quiet) PID() int                      { return 1 }

// pair is a connection: ours for the hub, and the client's end.
func pair(t *testing.T) (ours int, client *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	client = os.NewFile(uintptr(fds[1]), "client")
	t.Cleanup(func() { _ = client.Close() })
	return fds[0], client
}

// run runs the loop until ok, which is asked again at least each few milliseconds.
func run(t *testing.T, l *loop.Loop, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	var tick func()
	tick = func() { l.After(5*time.Millisecond, tick) }
	tick()
	late := false
	if err := l.Run(func() bool { late = time.Now().After(end); return late || ok() }); err != nil || late {
		t.Fatalf("late: %v, %v", late, err)
	}
}

// TestOverflow fills the queues of an owner and of an attacher who do not read.
func TestOverflow(t *testing.T) {
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	events := new(quiet)
	fd, owner := pair(t)
	h := New(l, fd, events)
	defer h.Close()
	h.limit = 1 << 20
	h.SpillDir(t.TempDir())
	h.clients[0].queue.limit = h.limit
	h.clients[0].wants.Stdout = true
	fd, slow := pair(t)
	h.add(fd).wants.Stdout = true
	fd, quick := pair(t)
	h.add(fd).wants.Stdout = true

	var want bytes.Buffer
	got := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, quick)
		got <- n
	}()
	buf := make([]byte, stdio.Room+32<<10)
	for i := 0; i < 200 && !events.stalled; i++ {
		for j := range buf[stdio.Room:] {
			buf[stdio.Room+j] = byte(i)
		}
		h.Output(stdio.Stdout, buf)
		want.Write(buf)
		run(t, l, func() bool { return h.clients[2].queue.empty() })
	}
	if !events.stalled {
		t.Fatal("the owner's queue takes all without end")
	}
	for range 2 { // what the kernel still holds when reading stops
		h.Output(stdio.Stdout, buf)
		want.Write(buf)
	}
	run(t, l, func() bool { return h.clients[2].queue.empty() })

	whole := make(chan []byte, 1)
	go func() {
		p := make([]byte, want.Len())
		_, _ = io.ReadFull(owner, p)
		whole <- p
	}()
	last := make(chan []byte, 1)
	go func() {
		p, _ := io.ReadAll(slow)
		last <- p
	}()
	run(t, l, func() bool { return len(whole) == 1 && len(last) == 1 })
	if p := <-whole; !bytes.Equal(p, want.Bytes()) || events.stalled {
		t.Errorf("the owner did not get all, or is stalled: %v", events.stalled)
	}
	if p := <-last; !bytes.Contains(p, []byte(errSpillFull.Error())) {
		t.Errorf("the slow attacher was not told: %d bytes", len(p))
	}
	h.Close()
	if n := <-got; n != int64(want.Len()) {
		t.Errorf("the quick attacher got %d bytes of %d", n, want.Len())
	}
}

// FuzzClient has a client say anything.
func FuzzClient(f *testing.F) {
	f.Add(protocol.AppendFrame(protocol.AppendFrame(nil, protocol.FrameHello, protocol.Hello{Stdin: true}.Append(nil)), protocol.FrameStdin, []byte("x")))
	f.Add(protocol.AppendFrame(nil, protocol.FrameRequest, []byte("x")))
	f.Fuzz(func(t *testing.T, said []byte) {
		l, err := loop.New()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		events := new(quiet)
		fd, owner := pair(t)
		h := New(l, fd, events)
		defer h.Close()
		if len(said) > 64<<10 {
			return
		}
		_, _ = owner.Write(said)
		_ = owner.Close()
		run(t, l, func() bool { return events.gone })
	})
}
