package monitor

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/pkg/errs"
)

func TestRun(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `echo out; echo err >&2; printf partial; exit 7`)
		b.req.PIDFile, b.req.MonitorPIDFile = filepath.Join(b.req.Bundle, "p"), filepath.Join(b.req.Bundle, "m")
		s := b.start()
		var out, errOut bytes.Buffer
		exit, err := s.Attach(t.Context(), Streams{Stdout: &out, Stderr: &errOut})
		if err != nil {
			t.Fatal(err)
		}
		if exit.Code != 7 || exit.At.IsZero() || out.String() != "out\npartial" || errOut.String() != "err\n" {
			t.Errorf("exit %+v, stdout %q, stderr %q", exit, out.String(), errOut.String())
		}
		if st := b.status(); st.State != protocol.StateExited || st.ExitCode != 7 || st.PID == 0 || st.PIDStart == 0 || st.Started.IsZero() {
			t.Errorf("status when told: %+v", st)
		}
		want := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d stdout F out$`)
		if log := b.log(); !want.MatchString(log) || !strings.Contains(log, " stderr F err\n") || !strings.Contains(log, " stdout P partial\n") {
			t.Errorf("log:\n%s", log)
		}
		for _, f := range []string{b.req.PIDFile, b.req.MonitorPIDFile} {
			if data, err := os.ReadFile(f); err != nil || len(data) == 0 {
				t.Errorf("pid file: %q, %v", data, err)
			}
		}
		if err := s.Cleaned(); err != nil {
			t.Error(err)
		}
		b.waitGone()
	})
}

func TestStartErrors(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		code    int
		words   string
	}{
		"not found":      {[]string{"nosuch"}, errs.ExitNotFound, "not found in $PATH"},
		"path not found": {[]string{"/bin/nosuch"}, errs.ExitNotFound, "o such file or directory"},
		"not executable": {[]string{"/bin/notexec"}, errs.ExitNotExecutable, "ermission denied"},
		"a directory":    {[]string{"/bin"}, errs.ExitNotExecutable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			eachRuntime(t, func(t *testing.T, runtime string) {
				b := newBox(t, runtime, append(c.command, "x")...)
				_, err := b.starter.Start(t.Context(), b.req, Files{})
				if err == nil || errs.Exit(err) != c.code || !strings.Contains(err.Error(), c.words) {
					t.Fatalf("code %d: %v", errs.Exit(err), err)
				}
				t.Log(err)
				if st := b.status(); st.State != protocol.StateExited || st.Error == "" || st.PID != 0 {
					t.Errorf("status %+v", st)
				}
				b.waitGone()
			})
		})
	}
}

func TestCleanupWithoutOwner(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `cat /run/fifo`)
		mark := filepath.Join(b.req.Bundle, "cleaned")
		b.req.Cleanup = []string{"/bin/sh", "-c", `echo "$WORD" > "$0"`, mark}
		b.req.Env = append(os.Environ(), "WORD=by the monitor")
		if err := mkfifo(filepath.Join(b.req.Bundle, "fifo")); err != nil {
			t.Fatal(err)
		}
		s := b.start()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(b.req.Bundle, "fifo"), []byte("go"), 0); err != nil {
			t.Fatal(err)
		}
		b.waitGone()
		if data, err := os.ReadFile(mark); err != nil || string(data) != "by the monitor\n" {
			t.Errorf("clean-up wrote %q, %v", data, err)
		}
		if _, err := Attach(t.Context(), b.req.Dir, protocol.Hello{}); !errors.Is(err, ErrNotRunning) {
			t.Errorf("attach after the end: %v", err)
		}
	})
}

func TestCreateThenStart(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `echo started; exit 3`)
		b.req.Mode = protocol.ModeCreate
		s := b.start()
		if st := b.status(); st.State != protocol.StateCreated || int(st.PID) != s.PID() {
			t.Errorf("status %+v, pid %d", st, s.PID())
		}
		b.runtime("start", b.req.ID)
		var out bytes.Buffer
		exit, err := s.Attach(t.Context(), Streams{Stdout: &out})
		if err != nil || exit.Code != 3 || out.String() != "started\n" {
			t.Errorf("exit %+v, %v, %q", exit, err, out.String())
		}
	})
}

func TestSignalCode(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		s := b.start()
		b.runtime("kill", b.req.ID, "KILL")
		if exit, err := s.Wait(t.Context()); err != nil || exit.Code != 137 {
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}

func TestTimeout(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		b.req.Timeout = 1
		if exit, err := b.start().Wait(t.Context()); err != nil || exit.Code != protocol.TimeoutCode {
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}

func TestExec(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		b.start()
		e := b.exec(false, "/bin/sh", "-c", "cat; echo done >&2; exit 5")
		e.req.AttachStdin = true
		s := e.start()
		var out, errOut bytes.Buffer
		exit, err := s.Attach(t.Context(), Streams{Stdin: strings.NewReader("in"), Stdout: &out, Stderr: &errOut})
		if err != nil || exit.Code != 5 || out.String() != "in" || errOut.String() != "done\n" {
			t.Errorf("exit %+v, %v, %q, %q", exit, err, out.String(), errOut.String())
		}
		e = b.exec(false, "nosuch")
		if _, err := e.starter.Start(t.Context(), e.req, Files{}); errs.Exit(err) != errs.ExitNotFound {
			t.Errorf("exec of nothing: %v", err)
		}
	})
}

// A runtime may take its time after it has written the pid, which is when the process runs.
func TestStartedBeforeTheRuntimeEnds(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `echo out; exit 7`)
		hold := filepath.Join(b.req.Dir, "hold")
		slow := filepath.Join(b.root, "runtime")
		script := "#!/bin/sh\n" + runtime + ` "$@" || exit; while [ -e ` + hold + " ]; do sleep 0.01; done\n"
		if err := errors.Join(os.WriteFile(hold, nil, 0o600), os.WriteFile(slow, []byte(script), 0o700)); err != nil {
			t.Fatal(err)
		}
		b.req.Runtime = slow
		s := b.start() // which would wait for ever
		if st := b.status(); st.State != protocol.StateRunning || st.PID == 0 {
			t.Errorf("status while the runtime is at work: %+v", st)
		}
		if err := os.Remove(hold); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		exit, err := s.Attach(t.Context(), Streams{Stdout: &out})
		if err != nil || exit.Code != 7 || out.String() != "out\n" {
			t.Errorf("exit %+v, stdout %q, %v", exit, out.String(), err)
		}
		if err := s.Cleaned(); err != nil {
			t.Error(err)
		}
	})
}

func TestDiscardIsEmptied(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "true")
		gone := t.TempDir()
		b.req.Discard = []string{filepath.Join(gone, "missing"), gone}
		s := b.start()
		if err := os.MkdirAll(filepath.Join(gone, "a/b"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Attach(t.Context(), Streams{}); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(gone); err != nil || len(entries) != 1 {
			t.Errorf("before the end: %v, %v", entries, err)
		}
		if err := s.Cleaned(); err != nil {
			t.Error(err)
		}
		b.waitGone()
		if entries, err := os.ReadDir(gone); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
	})
}
