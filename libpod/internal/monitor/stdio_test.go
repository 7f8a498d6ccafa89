package monitor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/pkg/term"
)

// noise is n bytes that no codec leaves alone by luck, the same each time.
type noise struct {
	left  int64
	state uint64
}

func (r *noise) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	for i := range p {
		r.state = r.state*6364136223846793005 + 1442695040888963407
		p[i] = byte(r.state >> 56)
	}
	r.left -= int64(len(p))
	return len(p), nil
}

func sum(r io.Reader) string {
	h := sha256.New()
	_, _ = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil))
}

// megabytes is how much the tests of whole transfer move.
func megabytes(t *testing.T) int64 {
	t.Helper()
	if s := os.Getenv("HULL_TEST_MEGABYTES"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 64
}

func TestStdinWhole(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		n := megabytes(t) << 20
		// The reader stalls until it is told to go.
		b := newBox(t, runtime, `read x < /run/fifo; sha256sum`)
		if err := mkfifo(filepath.Join(b.req.Bundle, "fifo")); err != nil {
			t.Fatal(err)
		}
		b.req.AttachStdin = true
		s := b.start()
		in := &stallReader{Reader: &noise{left: n}, n: 4 << 20, reached: make(chan struct{})}
		var out bytes.Buffer
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Attach(t.Context(), Streams{Stdin: in, Stdout: &out}); err != nil {
				t.Error(err)
			}
		})
		// More than all buffers on the way hold is never taken: nothing grows.
		select {
		case <-in.reached:
			t.Error("4 MiB went into a container that does not read")
		case <-time.After(200 * time.Millisecond):
		}
		if rss := residentKB(t, s.Monitor()); rss > 8<<10 {
			t.Errorf("monitor has %d KB while stdin is stalled", rss)
		}
		if err := Resize(b.req.Dir, 10, 10); err != nil {
			t.Errorf("a control connection while stdin is stalled: %v", err)
		}
		if err := os.WriteFile(filepath.Join(b.req.Bundle, "fifo"), []byte("go\n"), 0); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if want := sum(&noise{left: n}); !strings.HasPrefix(out.String(), want) {
			t.Errorf("got %q, want %s", out.String(), want)
		}
	})
}

// stallReader closes reached when n bytes have been read.
type stallReader struct {
	io.Reader
	n       int64
	reached chan struct{}
}

func (r *stallReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.n > 0 && r.n <= int64(n) {
		close(r.reached)
	}
	r.n -= int64(n)
	return n, err
}

func residentKB(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Rss:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	t.Fatal("no Rss")
	return 0
}

// TestSlowReaders has an owner and an attacher that do not read while the container writes a lot and ends; another
// attacher reads at once.
func TestSlowReaders(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		n := megabytes(t) << 20
		b := newBox(t, runtime, `read x; head -c `+strconv.FormatInt(n, 10)+` /dev/zero; echo end`)
		b.req.LogDriver, b.req.AttachStdin = "", true
		owner := b.start()
		wants := protocol.Hello{Stdout: true, Stderr: true}
		slow, err := Attach(t.Context(), b.req.Dir, wants)
		if err != nil {
			t.Fatal(err)
		}
		quick, err := Attach(t.Context(), b.req.Dir, wants)
		if err != nil {
			t.Fatal(err)
		}
		if err := owner.send(protocol.FrameStdin, []byte("go\n")); err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*Session{"quick": quick} {
			readAll(t, name, s, n)
		}
		if st := b.status(); st.State != protocol.StateExited {
			t.Errorf("with readers that stall: %+v", st)
		}
		if rss := residentKB(t, owner.Monitor()); rss > 8<<10 {
			t.Errorf("monitor has %d KB with %d unread", rss, n)
		}
		readAll(t, "owner", owner, n)
		readAll(t, "slow", slow, n)
	})
}

func readAll(t *testing.T, name string, s *Session, n int64) {
	t.Helper()
	out := &counter{Hash: sha256.New()}
	if exit, err := s.Attach(t.Context(), Streams{Stdout: out}); err != nil || exit.Code != 0 {
		t.Errorf("%s: %+v, %v", name, exit, err)
	}
	want := sum(io.MultiReader(io.LimitReader(zeros{}, n), strings.NewReader("end\n")))
	if out.n != n+4 || hex.EncodeToString(out.Sum(nil)) != want {
		t.Errorf("%s: %d bytes of %d", name, out.n, n+4)
	}
}

type counter struct {
	hash.Hash
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.Hash.Write(p)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// syncBuffer is a buffer that is looked at while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestTerminal(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "true")
		b.writeSpec([]string{"/bin/sh"}, true)
		b.req.Terminal, b.req.AttachStdin, b.req.Stdin = true, true, true
		b.req.Height, b.req.Width = 30, 100
		s := b.start()
		in, feed := io.Pipe()
		sizes := make(chan [2]uint16)
		var out syncBuffer
		result := make(chan error, 1)
		go func() {
			_, err := s.Attach(t.Context(), Streams{Stdin: in, Stdout: &out, Resize: sizes, DetachKeys: "ctrl-p,ctrl-q"})
			result <- err
		}()
		say := func(text, want string) {
			t.Helper()
			if _, err := feed.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			until(t, "the terminal shows "+want, func() bool { return strings.Contains(out.String(), want) })
		}
		say("stty size\n", "30 100")
		sizes <- [2]uint16{41, 77}
		until(t, "the size has changed", func() bool {
			_, err := feed.Write([]byte("stty size\n"))
			return err == nil && strings.Contains(out.String(), "41 77")
		})
		if _, err := feed.Write([]byte{0x10, 0x11}); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, ErrDetached) {
			t.Fatalf("detach: %v", err)
		}
		_ = s.Close()
		again, err := Attach(t.Context(), b.req.Dir, protocol.Hello{Stdin: true, Stdout: true})
		if err != nil {
			t.Fatal(err)
		}
		exit, err := again.Attach(t.Context(), Streams{Stdin: strings.NewReader("\nexit 9\n"), Stdout: &out})
		if err != nil || exit.Code != 9 {
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}

func TestOwnerDiesWithTerminal(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		s := b.start()
		ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
		if err != nil {
			t.Skip("no pty:", err)
		}
		defer ptmx.Close()
		before, err := unix.IoctlGetTermios(int(ptmx.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		state, err := term.MakeRaw(ptmx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Terminal(ptmx, state.Bytes()); err != nil {
			t.Fatal(err)
		}
		_ = s.Close() // as the death of the process
		until(t, "the terminal is as before", func() bool {
			now, err := unix.IoctlGetTermios(int(ptmx.Fd()), unix.TCGETS)
			return err == nil && *now == *before
		})
	})
}

func TestPassedFiles(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `cat <&3; echo through`)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		extra, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = extra.WriteString("extra\n")
		_, _ = extra.Seek(0, io.SeekStart)
		b.req.LogDriver = protocol.LogPassthrough
		s, err := b.starter.Start(t.Context(), b.req, Files{Stdio: [3]*os.File{nil, w, w}, Extra: []*os.File{extra}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_ = w.Close()
		if _, err := s.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		_ = s.Cleaned()
		if data, _ := io.ReadAll(r); string(data) != "extra\nthrough\n" {
			t.Errorf("passed through: %q", data)
		}
	})
}

func TestLongDir(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "true")
		b.writeSpec([]string{"/bin/sh", "-c", "echo $((6*7))"}, true)
		b.req.Terminal = true
		b.req.Dir = filepath.Join(b.req.Dir, strings.Repeat("d", 100), strings.Repeat("e", 100))
		if err := os.MkdirAll(b.req.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := b.start().Attach(t.Context(), Streams{Stdout: &out}); err != nil || out.String() != "42\r\n" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}

func TestCancelledAttach(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		b.req.AttachStdin = true
		s := b.start()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, err := s.Attach(ctx, Streams{Stdin: r}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled attach: %v", err)
		}
	})
}
