package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/transfer"
)

// unconfined is what a test passes that does a job in its own process.
func unconfined(reach) error { return nil }

// confinedJob is the variable that makes a test's process one that is confined and tries what it says.
const confinedJob = "HULL_TEST_CONFINED"

// attempt is what such a process is to do: after it gave up all but Reach, on threads that were there before and on new ones.
type attempt struct {
	Reach struct{ Read, Write []string }
	Read  []string // to read
	Make  []string // to make
	Pid   int      // to signal; 0: nobody
	Bomb  string   // the file that a child fills until it is ended; "": no file
}

// bomb fills a file by a child, with a gigabyte.
func bomb(path string) error {
	cmd := exec.CommandContext(context.Background(), "sh", "-c", "exec cat > "+path)
	cmd.Stdin = io.LimitReader(endless{}, 1<<30)
	return cmd.Run()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func confined(job string) int {
	var a attempt
	if err := json.Unmarshal([]byte(job), &a); err != nil {
		panic(err)
	}
	before := make(chan func() error)
	answers := make(chan error)
	for range 4 { // each on a thread that is there when the process is confined
		go func() {
			for f := range before {
				answers <- f()
			}
		}()
	}
	if err := confine(reach{read: a.Reach.Read, write: a.Reach.Write}); err != nil {
		panic(err)
	}
	try := func(what string, f func() error) {
		before <- f
		err := <-answers
		if own := f(); (own == nil) != (err == nil) {
			panic(fmt.Sprintf("%s: %v here and %v there", what, own, err))
		}
		fmt.Printf("%s: %v\n", what, err == nil)
	}
	for _, path := range a.Read {
		try("read "+path, func() error { _, err := os.ReadFile(path); return err })
	}
	for _, path := range a.Make {
		try("make "+path, func() error { return errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o600)) })
	}
	try("mount", func() error { return unix.Mount("none", "/proc", "", unix.MS_REMOUNT|unix.MS_BIND, "") })
	if a.Bomb != "" {
		ended := make(chan error, 1)
		before <- func() error { // the store starts its children from any thread
			err := bomb(a.Bomb)
			ended <- err
			return err
		}
		fmt.Printf("bomb: %v\n", guardedBomb(filepath.Dir(a.Bomb), ended) == nil)
		<-answers
	}
	if a.Pid != 0 {
		try("signal", func() error { return unix.Kill(a.Pid, 0) })
	}
	return 0
}

// guardedBomb is what guard says of a job that has fetched a thousand bytes.
func guardedBomb(dir string, ended <-chan error) error {
	j := &job{stage: &stage{dir: dir}}
	j.stage.packed.Store(1000)
	stop := j.guard("it")
	return errors.Join(<-ended, stop())
}

// try starts one and returns its answers, by question.
func (a attempt) try(t *testing.T, environment ...string) map[string]bool {
	t.Helper()
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(append(os.Environ(), confinedJob+"="+string(data)), environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		question, answer, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got[question] = answer == "true"
	}
	return got
}

func landlocked(t *testing.T) {
	t.Helper()
	if version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 || version < 2 {
		t.Skip("this kernel has no Landlock, or one that forbids renames")
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A confined process has what it was left, and nothing else: not for one of its threads.
func TestConfine(t *testing.T) {
	landlocked(t)
	dir := t.TempDir()
	secret, mine := write(t, dir+"/home/.ssh/key", "secret"), write(t, dir+"/home/.config/containers/policy.json", "{}")
	store := filepath.Dir(write(t, dir+"/store/layer", ""))
	a := attempt{Read: []string{secret, mine, store + "/layer", "/etc/passwd"}, Make: []string{store + "/new", dir + "/home/.bashrc", mine}, Pid: os.Getpid()}
	a.Reach.Read, a.Reach.Write = []string{filepath.Dir(mine), dir + "/nothing"}, []string{store}
	got := a.try(t, landlockVariable+"=on")
	for question, want := range map[string]bool{
		"read " + secret: false, "read " + mine: true, "read " + store + "/layer": true, "read /etc/passwd": true,
		"make " + store + "/new": true, "make " + dir + "/home/.bashrc": false, "make " + mine: false, "mount": false,
	} {
		if is, ok := got[question]; !ok || is != want {
			t.Errorf("%s: %v, want %v", question, is, want)
		}
	}
	if mended(signalErratum) && got["signal"] {
		t.Error("it may send signals to the process that started it")
	}
	if got := a.try(t, landlockVariable+"=off"); !got["read "+secret] {
		t.Errorf("%s=off: %v", landlockVariable, got)
	}
}

// A child that unpacks too much is ended, also by a process that may not signal it.
func TestGuardOfTheConfined(t *testing.T) {
	landlocked(t)
	var a attempt
	a.Bomb = filepath.Join(t.TempDir(), "bomb")
	a.Reach.Write = []string{filepath.Dir(a.Bomb)}
	for _, landlock := range []string{"on", "off"} {
		if got := a.try(t, landlockVariable+"="+landlock, maxUnpackedVariable+"=10m"); got["bomb"] {
			t.Errorf("landlock %s: the child came to its end", landlock)
		}
		if info, err := os.Stat(a.Bomb); err != nil || info.Size() == 1<<30 {
			t.Errorf("landlock %s: the whole gigabyte is there, or nothing: %v", landlock, err)
		}
	}
}

// What a job reaches follows from the request and from the user's files.
func TestReach(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", dir+"/.config")
	t.Setenv("XDG_RUNTIME_DIR", dir+"/run")
	t.Setenv("CONTAINERS_POLICY_JSON", write(t, dir+"/policy.json",
		`{"default":[{"type":"sigstoreSigned","keyPath":"/keys/a b.pub","rekorPublicKeyPath":"\/keys\/rekor"}]}`))
	write(t, dir+"/.config/containers/registries.d/x.yaml", "docker:\n  x.example:\n    lookaside: file:///srv/signatures\n")
	if err := os.Symlink(write(t, dir+"/dotfiles/registries.conf", ""), dir+"/.config/containers/registries.conf"); err != nil {
		t.Fatal(err)
	}
	var r reach
	if err := r.access(transfer.Access{AuthFile: dir + "/ci/auth.json", CertDir: "/certs"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/keys/a b.pub", "/keys/rekor", "/srv/signatures", dir + "/dotfiles/registries.conf", dir + "/.config/containers", dir + "/ci", "/certs",
	} {
		if !slices.Contains(r.read, want) {
			t.Errorf("%s is not in %q", want, r.read)
		}
	}
	if slices.Contains(r.read, dir) || len(r.write) > 0 {
		t.Errorf("the home is in %q, or something in %q", r.read, r.write)
	}
	if around(dir+"/auth.json") != dir+"/auth.json" {
		t.Error("an auth file in the home opens the home")
	}
	write(t, dir+"/ci/auth.json", `{"credHelpers":{"x.example":"secretservice"}}`)
	if err := r.access(transfer.Access{AuthFile: dir + "/ci/auth.json"}); !errors.Is(err, errUnknown) {
		t.Errorf("with a credential helper: %v", err)
	}
	archive := write(t, dir+"/a:b.tar", "")
	var s reach
	for text, want := range map[string]error{
		"docker-archive:" + archive + ":name:tag": nil, "docker://x/y": nil, "name": nil, "oci:/nothing:x": nil,
		"sif:/x": errUnknown, "containers-storage:[vfs@/x]y": errUnknown,
	} {
		if err := s.source(text); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if !slices.Equal(s.read, []string{archive}) {
		t.Errorf("archives are %q", s.read)
	}
	if err := s.keys([]string{write(t, dir+"/key", "") + ":passphrase"}); err != nil {
		t.Error(err)
	}
	if err := s.keys([]string{"pkcs11:x"}); !errors.Is(err, errUnknown) {
		t.Errorf("a key of a program: %v", err)
	}
}
