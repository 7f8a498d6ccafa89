package ociruntime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hull.dev/hull/pkg/errs"
)

// saying is a runtime that writes its arguments to a file, and words to stderr, and ends with a code.
func saying(t *testing.T, words string, code int) (r Runtime, arguments func() string) {
	t.Helper()
	dir := t.TempDir()
	script, out := filepath.Join(dir, "runtime.sh"), filepath.Join(dir, "arguments")
	text := fmt.Sprintf("echo \"$@\" >'%s'\ncat >&2 <<'END'\n%s\nEND\nexit %d\n", out, words, code)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Runtime{Path: "/bin/sh", Flags: []string{script, "--root", "/r"}}, func() string {
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(data))
	}
}

func TestCallsAsTheRuntimeReadsThem(t *testing.T) {
	for want, call := range map[string]func(Runtime) error{
		"--root /r start id":           func(r Runtime) error { return r.Start(t.Context(), "id") },
		"--root /r kill id 9":          func(r Runtime) error { return r.Kill(t.Context(), "id", 9, false) },
		"--root /r kill --all id 15":   func(r Runtime) error { return r.Kill(t.Context(), "id", 15, true) },
		"--root /r delete --force id2": func(r Runtime) error { return r.Delete(t.Context(), "id2") },
	} {
		t.Run(want, func(t *testing.T) {
			r, arguments := saying(t, "", 0)
			if err := call(r); err != nil {
				t.Fatal(err)
			}
			if got := arguments(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestContainerThatIsGone(t *testing.T) {
	for _, words := range []string{ // of crun 1.8 and runc 1.1
		"error opening file `/run/crun/id/status`: No such file or directory", "container not running",
		"container does not exist", `time="now" level=error msg="container not running"`, "kill container: No such process",
		"os: process already finished",
	} {
		t.Run(words, func(t *testing.T) {
			r, _ := saying(t, words, 1)
			err := r.Kill(t.Context(), "id", 9, false)
			if !errs.IsNotFound(err) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line of class NotFound with the runtime's words", err)
			}
			if err := r.Delete(t.Context(), "id"); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
	}
}

func TestErrorHasTheRuntimesWords(t *testing.T) {
	r, _ := saying(t, "cannot do that", 3)
	for name, err := range map[string]error{"kill": r.Kill(t.Context(), "id", 9, false), "delete": r.Delete(t.Context(), "id")} {
		if err == nil || errs.IsNotFound(err) || err.Error() != "sh "+name+": cannot do that" {
			t.Errorf("%v", err)
		}
	}
}

func TestRuntimeThatIsNotThere(t *testing.T) {
	err := Runtime{Path: "/nonexistent/crun"}.Start(t.Context(), "id")
	if err == nil || errs.Hint(err) == "" || errs.IsNotFound(err) {
		t.Errorf("%v, hint %q; want an error with the way out", err, errs.Hint(err))
	}
	if err := (Runtime{Path: "/nonexistent/crun"}).Delete(t.Context(), "id"); err != nil {
		t.Errorf("delete: %v; a runtime that is gone keeps nothing", err)
	}
}

func TestCallEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	r, _ := saying(t, "", 0)
	if err := r.Start(ctx, "id"); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}

func TestName(t *testing.T) {
	if got := (Runtime{Path: "/usr/bin/crun"}).Name(); got != "crun" {
		t.Error(got)
	}
}
