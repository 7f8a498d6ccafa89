// Package script runs the stories in testdata/<noun>/*.txtar with the built programs, as each identity and on each runtime.
//
// Beside testscript's own, a story has these commands:
//
//	exits CODE CMD…            runs CMD and wants this exit code
//	until 5s [/RE/] CMD…       runs CMD again and again until it succeeds (and its output matches), for so long at most
//	registry [-tls] …          starts a registry, $REGISTRY, that ends with the story (registry_test.go)
//	layout DIR TAG TEXT…       writes an image to push as an OCI layout (registry_test.go)
//	lan [-udp] ADDRESS:PORT TEXT…  sends a line from the neighbour of the host, and has what came back as stdout (lan_test.go)
//
// and these conditions: [user] [root] [single] [crun] [runc] [oracle] [landlock]. $PORT, $PORT2 and $PORT3 are free on the host, $BUSYBOX is a
// root file system archive, and the image "busybox" made of it is there; $PEERS is a program that tells
// clients their address (test/env/peers). A story in testdata/single is for the user without subordinate ids.
//
//	go test ./test/script -args -story=run/exit     the stories whose noun/name matches
//	ORACLE=podman go test ./test/script             the same stories told to podman
package script

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"hull.dev/hull/test/env"
)

var (
	story   = flag.String("story", "", "run the stories whose noun/name matches this regular expression")
	profile = flag.String("profile", "", "run these profiles only: user-crun, user-runc, root-crun, single-crun")
)

func TestScripts(t *testing.T) {
	if base, p, ok := env.FromEnvironment(); ok {
		runStories(t, base, p)
		return
	}
	suite := env.Open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self = suite.Copy(t, self)
	suite.Copy(t, "testdata")
	for _, p := range []env.Profile{
		{Identity: "user", Runtime: "crun"},
		{Identity: "user", Runtime: "runc"},
		{Identity: "root", Runtime: "crun"},
		{Identity: "single", Runtime: "crun"},
	} {
		if !strings.Contains(p.String(), *profile) || env.Oracle() && p.Runtime == "runc" {
			continue
		}
		t.Run(p.String(), func(t *testing.T) {
			args := []string{self, "-test.run=^TestScripts$", "-test.parallel=4", "-story=" + *story}
			if testing.Verbose() {
				args = append(args, "-test.v")
			}
			cmd := suite.Command(t.Context(), t, p, args...)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Errorf("stories as %s: %v", p, err)
			}
		})
	}
}

// patience is what one story may take before it counts as hung: a hundred times what it needs.
const patience = 5 * time.Minute

// runStories runs as the identity, in its namespace.
func runStories(t *testing.T, base string, p env.Profile) { //nolint:thelper // it is the test
	if env.Oracle() {
		canRun(t)
	}
	wanted := regexp.MustCompile(*story)
	files, err := filepath.Glob(filepath.Join(base, "testdata/*/*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories in %s: %v", base, err)
	}
	for _, file := range files {
		noun := filepath.Base(filepath.Dir(file))
		name := noun + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
		if (noun == "single") != (p.Identity == "single") || !wanted.MatchString(name) {
			continue
		}
		t.Run(p.String()+"/"+name, func(t *testing.T) {
			if p.Identity != "root" || noun != "network" { // root's bridges and rules are in the one namespace of the suite
				t.Parallel()
			}
			testscript.RunT(shim{t}, testscript.Params{
				Files: []string{file}, RequireExplicitExec: true, RequireUniqueNames: true, Deadline: time.Now().Add(patience),
				Setup:     func(e *testscript.Env) error { return setUp(t, base, p, e) },
				Condition: func(name string) (bool, error) { return condition(p, name) },
				Cmds:      map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "until": until, "registry": registry, "layout": layout, "lan": lan(base), "sif": sifFile},
			})
		})
	}
}

// canRun skips when podman cannot run a container here as this identity.
func canRun(t *testing.T) {
	t.Helper()
	s := env.NewSandbox(t)
	defer s.End(t)
	base, p, _ := env.FromEnvironment()
	if out, err := s.Hull(t, "import", env.Busybox(base, p), "busybox"); err != nil {
		env.Skip(t, "podman cannot import an image here: "+out)
	}
	if out, err := s.Hull(t, "run", "--rm", "busybox", "true"); err != nil {
		env.Skip(t, "podman cannot run a container here: "+out)
	}
}

// setUp gives a script its sandbox, with the image.
func setUp(t *testing.T, base string, p env.Profile, e *testscript.Env) error {
	t.Helper()
	s := env.NewSandbox(t)
	e.Vars = append(e.Vars, s.Vars...)
	for i, name := range []string{"PORT", "PORT2", "PORT3"} {
		e.Setenv(name, strconv.Itoa(s.Ports[i]))
	}
	e.Setenv("BUSYBOX", env.Busybox(base, p))
	e.Setenv("PEERS", env.Peers(base))
	e.Setenv("SANDBOX", s.Dir)
	e.Setenv("TERM", "xterm")
	e.Setenv("LC_ALL", "C.UTF-8")
	if out, err := s.Hull(t, "import", "-c", `CMD ["/bin/sh"]`, env.Busybox(base, p), "busybox"); err != nil {
		return errors.New("import busybox: " + out)
	}
	e.Defer(func() { s.End(t) })
	return nil
}

func condition(p env.Profile, name string) (bool, error) {
	switch name {
	case "user", "root", "single":
		return p.Identity == name, nil
	case "crun", "runc":
		return p.Runtime == name, nil
	case "oracle":
		return env.Oracle(), nil
	case "landlock":
		version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
		return errno == 0 && version > 1, nil
	}
	return false, errors.New("no such condition")
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until DURATION [/RE/] CMD…")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	args = args[1:]
	want := regexp.MustCompile("")
	if re, ok := strings.CutPrefix(args[0], "/"); ok && strings.HasSuffix(re, "/") {
		want = regexp.MustCompile("(?m)" + strings.TrimSuffix(re, "/"))
		args = args[1:]
	}
	for deadline := time.Now().Add(limit); ; time.Sleep(30 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		err := ts.Exec(args[0], args[1:]...)
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within %s: %v", limit, err)
		}
	}
}

// shim is a *testing.T that runs the one script it is given in place, and notes skips.
type shim struct{ *testing.T }

func (s shim) Run(_ string, f func(testscript.T)) { f(s) }
func (s shim) Parallel()                          {}
func (s shim) Verbose() bool                      { return testing.Verbose() }

func (s shim) Skip(args ...any) {
	reason := "no reason"
	if len(args) == 1 {
		if text, ok := args[0].(string); ok && text != "" {
			reason = text
		}
	}
	env.Skip(s.T, reason)
}
