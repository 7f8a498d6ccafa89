package protocol

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

func request() *Request {
	return &Request{
		Kind: KindContainer, ID: "0123", Name: "web", Dir: "/run/x", Runtime: "/usr/bin/crun", Bundle: "/b", Mode: ModeRun,
		RuntimeArgs: []string{"--root", "/r"}, CreateArgs: []string{"--no-pivot"}, Env: []string{"A=b=c", "EMPTY=", "LINES=1\n2"}, Terminal: true, Width: 80,
		LogDriver: LogK8sFile, LogPath: "/l", LogMaxSize: 1 << 40, RestartPolicy: RestartOnFailure, RestartMax: 3,
		Cleanup: []string{"/bin/hull", ""}, OwnerCleans: true, NetPIDFile: "/n", NetCommand: []string{"/bin/hull-net"},
	}
}

func TestRequestRoundTrip(t *testing.T) {
	want := request()
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRequest(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestFieldsComplete fails when a field of a struct is not in its list.
func TestFieldsComplete(t *testing.T) {
	for _, c := range []struct {
		v      any
		fields int
	}{{Request{}, len(new(Request).fields())}, {Status{}, len(new(Status).fields())}} {
		if typ := reflect.TypeOf(c.v); typ.NumField() != c.fields {
			t.Errorf("%s: %d fields, %d in the list", typ, typ.NumField(), c.fields)
		}
	}
}

func TestBadRequests(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Request)
		want   string
	}{
		"kind":    {func(r *Request) { r.Kind = "x" }, `kind "x"`},
		"id":      {func(r *Request) { r.ID = "" }, "no id"},
		"dir":     {func(r *Request) { r.Dir = "x" }, "dir is not absolute"},
		"process": {func(r *Request) { r.Kind = KindExec }, "no process file"},
		"policy":  {func(r *Request) { r.RestartPolicy = "x" }, `restart policy "x"`},
		"limit":   {func(r *Request) { r.Timeout = -1 }, "a negative limit"},
		"net":     {func(r *Request) { r.NetCommand = nil }, "no net-command"},
		"net pid": {func(r *Request) { r.NetPIDFile = "n" }, "net-pid-file is not absolute"},
		"log":     {func(r *Request) { r.LogPath = "" }, "no log path"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request()
			c.change(r)
			data, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeRequest(data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	r := request()
	r.Env = []string{"A=\x00"}
	if _, err := r.Encode(); err == nil {
		t.Error("a NUL byte: want an error")
	}
	if _, err := DecodeRequest([]byte("hull-conmon-request 99\x00")); err == nil || !strings.Contains(err.Error(), `version "99"`) {
		t.Errorf("a newer version: %v", err)
	}
}

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadStatus(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no status: %v", err)
	}
	want := Status{
		State: StateExited, PID: 7, PIDStart: 1234, PIDNumber: 99, MonitorPID: 8, Started: time.Unix(1, 2), ExitCode: 137,
		ExitedAt: time.Unix(3, 4), OOM: true, Restarts: 2, Error: "two\nlines \"quoted\"",
	}
	data := append(want.Encode(), "of-a-newer-one=5\n"...)
	if err := os.WriteFile(filepath.Join(dir, StatusFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadStatus(dir); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := DecodeStatus([]byte("hull-status 2\n")); err == nil {
		t.Error("another version: want an error")
	}
}

// TestStatusOfOldMonitor reads a file that the first version wrote: what a running monitor left stays readable.
func TestStatusOfOldMonitor(t *testing.T) {
	got, err := ReadStatus("testdata/v1")
	want := Status{State: StateRunning, PID: 4711, PIDStart: 526153, MonitorPID: 4700, Started: time.Unix(0, 1795478650020462930)}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAlive(t *testing.T) {
	dir := t.TempDir()
	if alive, err := Alive(dir); alive || err != nil {
		t.Errorf("no lock file: %v, %v", alive, err)
	}
	f, err := os.Create(filepath.Join(dir, LockFile))
	if err != nil {
		t.Fatal(err)
	}
	if alive, err := Alive(dir); alive || err != nil {
		t.Errorf("nobody holds it: %v, %v", alive, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if alive, err := Alive(dir); !alive || err != nil {
		t.Errorf("held: %v, %v", alive, err)
	}
}

func TestFrames(t *testing.T) {
	exit := Exit{Code: -1, At: time.Unix(5, 6), OOM: true, Restarts: 9}
	var wire []byte
	wire = AppendFrame(wire, FrameStdout, bytes.Repeat([]byte("x"), MaxPayload))
	wire = AppendFrame(wire, FrameExited, exit.Append(nil))
	wire = AppendFrame(wire, FrameResize, Size{3, 4}.Append(nil))
	wire = AppendFrame(wire, FrameHello, Hello{Stdin: true, Stderr: true}.Append(nil))
	wire = AppendFrame(wire, FrameStarted, AppendPID(nil, 77))
	wire = AppendFrame(wire, FrameStdinEOF, nil)
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(wire), "byte by byte": iotest.OneByteReader(bytes.NewReader(wire))} {
		t.Run(name, func(t *testing.T) {
			frames, payloads := NewReader(r), [][]byte{}
			for {
				_, p, err := frames.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				payloads = append(payloads, bytes.Clone(p))
			}
			if len(payloads) != 6 || len(payloads[0]) != MaxPayload {
				t.Fatalf("%d frames", len(payloads))
			}
			if got, err := ParseExit(payloads[1]); err != nil || got != exit {
				t.Errorf("exit %+v, %v", got, err)
			}
			if got, err := ParseSize(payloads[2]); err != nil || got != (Size{3, 4}) {
				t.Errorf("size %+v, %v", got, err)
			}
			if got, err := ParseHello(payloads[3]); err != nil || got != (Hello{Stdin: true, Stderr: true}) {
				t.Errorf("hello %+v, %v", got, err)
			}
			if got, err := ParsePID(payloads[4]); err != nil || got != 77 {
				t.Errorf("pid %d, %v", got, err)
			}
		})
	}
	if _, _, err := NewReader(bytes.NewReader(wire[:9])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
	if _, _, err := NewReader(strings.NewReader("o\xff\xff\xff\xff")).Next(); err == nil {
		t.Error("4 GiB frame: want an error")
	}
}

func FuzzRequest(f *testing.F) {
	seed, _ := request().Encode()
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRequest(data)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if other, err := DecodeRequest(again); err != nil || !reflect.DeepEqual(other, r) {
			t.Errorf("%+v became %+v, %v", r, other, err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(AppendFrame(nil, FrameExited, Exit{}.Append(nil)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for r := NewReader(bytes.NewReader(data)); ; {
			_, p, err := r.Next()
			if err != nil {
				return
			}
			_, _ = ParseExit(p)
			_, _ = ParseHello(p)
			_, _ = ParseSize(p)
			_, _ = ParsePID(p)
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add(string((&Status{State: StateRunning, Error: "x"}).Encode()))
	f.Fuzz(func(_ *testing.T, data string) { _, _ = DecodeStatus([]byte(data)) })
}
