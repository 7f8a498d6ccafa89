package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

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
		_, _ = os.NewFile(answerFD, "").Write(bytes.Repeat([]byte("x"), maxLine+2))
	case "nonsense":
		_, _ = os.NewFile(answerFD, "").WriteString("nonsense\n")
	case "wait":
		progress(Progress{Text: "waiting"})
		<-ctx.Done()
		return Result{}, ctx.Err()
	case "privileges":
		data, err := os.ReadFile("/proc/self/status")
		_, _, denied := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0) // asks, and changes nothing
		return Result{Images: []Image{{ID: string(data)}}, Digest: denied.Error()}, err
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

func TestAhead(t *testing.T) {
	c := client(t, "privileges")
	release := c.Ahead()
	if r, err := c.Run(t.Context(), Request{}, nil, nil); err != nil || len(r.Images) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	release() // nothing is left to end
	release = c.Ahead()
	p := c.take()
	if p.err != nil {
		t.Fatal(p.err)
	}
	release()
	if err := errors.Join(p.ask.Close(), p.cmd.Wait()); err == nil || !strings.Contains(p.stderr.String(), "its job on descriptor 3") {
		t.Errorf("one without a job ends with %v and says %q", err, p.stderr.String())
	}
	c = &Client{Path: "/nonexistent"}
	defer c.Ahead()()
	if _, err := c.Run(t.Context(), Request{}, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
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

func TestPrivilegesAreDropped(t *testing.T) {
	r, err := client(t, "privileges").Run(t.Context(), Request{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	status := r.Images[0].ID
	if !strings.Contains(status, "NoNewPrivs:\t1") {
		t.Errorf("it may gain privileges:\n%s", status)
	}
	if auditArch != 0 && (!strings.Contains(status, "Seccomp:\t2") || r.Digest != unix.EPERM.Error()) {
		t.Errorf("no filter of system calls; personality(2) says %q:\n%s", r.Digest, status)
	}
	if os.Geteuid() == 0 && strings.Contains(status, "CapBnd:\t000001ffffffffff") {
		t.Errorf("it has every capability:\n%s", status)
	}
	// This process has kept its own.
	if mine, err := os.ReadFile("/proc/self/status"); err != nil || !strings.Contains(string(mine), "NoNewPrivs:\t0") || !strings.Contains(string(mine), "Seccomp:\t0") {
		t.Errorf("the client has lost its own: %v", err)
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
