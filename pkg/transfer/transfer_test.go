package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
)

// The test program stands in for hull-image when this is set: it says which part it plays.
const part = "TRANSFER_TEST_PART"

func TestMain(m *testing.M) {
	if os.Getenv(part) == "" {
		os.Exit(m.Run())
	}
	err := Serve(context.Background(), play)
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func play(ctx context.Context, r Request, progress func(Progress)) (Result, error) {
	switch os.Getenv(part) {
	case "work":
		data, err := io.ReadAll(os.Stdin)
		progress(Progress{Text: "one"})
		progress(Progress{Text: "two"})
		return Result{Images: []Image{{ID: r.Path, Names: []string{string(data)}}}}, err
	case "fail":
		return Result{}, errs.WithHint(errs.NotFound("no such %s", r.Path), "look elsewhere")
	case "panic":
		panic("oh no")
	case "flood":
		_, _ = os.NewFile(socketFD, "").Write(bytes.Repeat([]byte("x"), maxLine+2))
	case "nonsense":
		_, _ = os.NewFile(socketFD, "").WriteString("nonsense\n")
	case "wait":
		progress(Progress{Text: "waiting"})
		<-ctx.Done()
		return Result{}, ctx.Err()
	case "log":
		slog.Debug("a word", "of", "its own")
	case "write":
		_, err := os.Stdout.WriteString("output")
		return Result{}, err
	}
	return Result{}, nil
}

func client(t *testing.T, as string) *Client {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Path: exe, Env: append(os.Environ(), part+"="+as)}
}

func TestWork(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("input"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var said []string
	r, err := client(t, "work").Run(t.Context(), Request{Op: OpLoad, Path: "p"}, f, func(p Progress) { said = append(said, p.Text) })
	if err != nil || r.Images[0].ID != "p" || r.Images[0].Names[0] != "input" || strings.Join(said, " ") != "one two" {
		t.Errorf("%+v, %v, said %v", r, err, said)
	}
}

// TestDebug: what hull-image has to tell for --log-level=debug comes with hull's own, and only then.
func TestDebug(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var told bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: level})))
		if _, err := client(t, "log").Run(t.Context(), Request{}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(told.String(), `msg=\"a word\" of=\"its own\"`); got != want {
			t.Errorf("at level %s: %s", level, told.String())
		}
	}
}

func TestOutput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := client(t, "write").Run(t.Context(), Request{Output: f}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(out); err != nil || string(data) != "output" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAhead(t *testing.T) {
	c := client(t, "work")
	release := c.Ahead()
	if r, err := c.Run(t.Context(), Request{}, nil, nil); err != nil || len(r.Images) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	release() // nothing is left to end
	c.Ahead()
	p := c.take()
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.hangUp()
	if err := p.wait(); err == nil || !strings.Contains(p.lastWords(), "its job on descriptor 3") {
		t.Errorf("one without a job ends with %v and says %q", err, p.lastWords())
	}
	c = &Client{Path: "/nonexistent"}
	defer c.Ahead()()
	if _, err := c.Run(t.Context(), Request{}, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// TestEarly is a hull-image that was there first: it gets the job, unless it is another one than is wanted.
func TestEarly(t *testing.T) {
	c := client(t, "work")
	for wanted, path := range map[bool]string{true: c.Path, false: "/another"} {
		s, err := execute(c.Path, c.Env)
		if err != nil {
			t.Fatal(err)
		}
		s.Path = path
		c.Early = func() *Started {
			c.Early = nil
			return &s
		}
		c.Ahead()
		p := c.take()
		if p.err != nil || (p.pid == s.PID) != wanted {
			t.Errorf("%s: %d was there, and %d got the job; %v", path, s.PID, p.pid, p.err)
		}
		p.release()
	}
}

func TestErrorsCross(t *testing.T) {
	_, err := client(t, "fail").Run(t.Context(), Request{Path: "thing"}, nil, nil)
	if !errdefs.IsNotFound(err) || err.Error() != "no such thing" || errs.Hint(err) != "look elsewhere" {
		t.Errorf("got %v, hint %q", err, errs.Hint(err))
	}
}

func TestDeathIsAnError(t *testing.T) {
	for as, why := range map[string]string{"panic": "panic: oh no", "flood": "longer", "nonsense": "makes no sense"} {
		if _, err := client(t, as).Run(t.Context(), Request{}, nil, nil); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", as, err)
		}
	}
	if _, err := (&Client{Path: "/nonexistent"}).Run(t.Context(), Request{}, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := client(t, "wait").Run(ctx, Request{}, nil, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"version":1,"op":"load"}` + "\n"))
	f.Add([]byte("{\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var out bytes.Buffer
		_ = serve(context.Background(), bytes.NewReader(data), &out, func(context.Context, Request, func(Progress)) (Result, error) {
			return Result{}, nil
		})
	})
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"progress":{"text":"x"}}` + "\n" + `{"error":{"class":"invalid","message":"m"}}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := receive(bytes.NewReader(data), nil); (r == nil) == (err == nil) {
			t.Errorf("%v, %v", r, err)
		}
	})
}
