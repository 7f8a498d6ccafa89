package monitor

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
)

func TestRestart(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `echo run; exit 4`)
		b.req.RestartPolicy, b.req.RestartMax = protocol.RestartOnFailure, 2
		s := b.start()
		var out bytes.Buffer
		exit, err := s.Attach(t.Context(), Streams{Stdout: &out})
		if err != nil || exit.Code != 4 || exit.Restarts != 2 || out.String() != "run\nrun\nrun\n" {
			t.Errorf("exit %+v, %v, %q", exit, err, out.String())
		}
		if n := strings.Count(b.log(), "stdout F run"); n != 3 {
			t.Errorf("%d lines in the log", n)
		}
	})
}

func TestNoRestart(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `exit 0`)
		b.req.RestartPolicy = protocol.RestartAlways
		s := b.start()
		until(t, "a wait for a restart", func() bool {
			st := b.status()
			return st.State == protocol.StateRestarting && st.Restarts > 1
		})
		session, err := NoRestart(b.req.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		if exit, err := s.Wait(t.Context()); err != nil || exit.Code != 0 && exit.Code != 137 {
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}

func TestNoRestartOfRunning(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		b.req.RestartPolicy = protocol.RestartAlways
		s := b.start()
		session, err := NoRestart(b.req.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		b.runtime("kill", b.req.ID, "KILL")
		if exit, err := s.Wait(t.Context()); err != nil || exit != (define.Exit{Code: 137, At: exit.At}) {
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}

// fakeRuntime is a script in the place of the runtime.
func fakeRuntime(t *testing.T, script string) *box {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "fake")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, starter: &Starter{Path: conmon}}
	b.req = protocol.Request{
		Kind: protocol.KindContainer, Mode: protocol.ModeRun, ID: "x", Name: "x", Dir: filepath.Join(dir, "run"),
		Runtime: path, Bundle: dir,
	}
	if err := os.Mkdir(b.req.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.waitGone)
	return b
}

func TestRuntimeHangs(t *testing.T) {
	b := fakeRuntime(t, `case "$*" in *delete*) touch "$(dirname $0)/deleted";; *) exec sleep 1000;; esac`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.starter.Start(ctx, b.req, Files{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.req.Bundle, "deleted")); err != nil {
		t.Errorf("nothing was undone: %v", err)
	}
}

func TestRuntimeWords(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"stderr":  {`echo "word for word" >&2; exit 1`, "fake: word for word"},
		"log":     {`[ "$1" = --log ] && echo '{"msg":"a \"quoted\" word","level":"error","time":"x"}' > $2; exit 1`, `fake: a "quoted" word`},
		"silence": {`exit 3`, "fake: the runtime ended with exit code 3 and said nothing"},
		"no pid":  {`exit 0`, "the runtime ended well and wrote no pid file"},
	} {
		t.Run(name, func(t *testing.T) {
			b := fakeRuntime(t, c.script)
			if _, err := b.starter.Start(t.Context(), b.req, Files{}); err == nil || err.Error() != c.want {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestBadRequest(t *testing.T) {
	b := fakeRuntime(t, `exit 0`)
	b.req.Mode = "dance"
	if _, err := b.starter.Start(t.Context(), b.req, Files{}); err == nil || !strings.Contains(err.Error(), `mode "dance"`) {
		t.Errorf("start: %v", err)
	}
}

func TestMonitorKilled(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		s := b.start()
		p, err := os.FindProcess(s.Monitor())
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Wait(t.Context()); !errors.Is(err, ErrGone) {
			t.Errorf("wait: %v", err)
		}
		b.waitGone()
		if _, err := Attach(t.Context(), b.req.Dir, protocol.Hello{}); !errors.Is(err, ErrNotRunning) {
			t.Errorf("attach: %v", err)
		}
	})
}
