package fault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hull.dev/hull/test/env"
)

// deadline is what a command may take at most: far more than it needs, on a machine with much else to do.
const deadline = 60 * time.Second

// box is a sandbox with the image "busybox" in it.
type box struct {
	*env.Sandbox
	t    *testing.T
	base string
	// died says that a command was killed: what it held may leave its lock, an empty file that a reboot takes.
	died bool
}

// newBox makes a sandbox without an image.
func newBox(t *testing.T, base string) *box {
	t.Helper()
	b := &box{Sandbox: env.NewSandbox(t), t: t, base: base}
	b.Vars = append(b.Vars, "HULL_FAILPOINT_HELPERS="+b.helpers())
	return b
}

// filled makes a sandbox with the image.
func filled(t *testing.T, base string) *box {
	t.Helper()
	b := newBox(t, base)
	b.must("import -c CMD=/bin/sh $BUSYBOX busybox")
	return b
}

// result is how a command ended.
type result struct {
	line           string
	stdout, stderr string
	code           int // 137 when it was killed
}

func (r result) ok() bool { return r.code == 0 }

func (r result) String() string {
	return "hull " + r.line + ": exit code " + itoa(r.code) + "\n" + r.stdout + r.stderr
}

// words splits a command line; $BUSYBOX, $ARCHIVE and $PEERS in it are files, $PORT and $PORT2 are free on the host, and a quoted part is a word.
func (b *box) words(line string) []string {
	expand := strings.NewReplacer("$BUSYBOX", env.Busybox(b.base, env.Profile{}), "$ARCHIVE", archive(b.base), "$DIR", b.Dir,
		"$PEERS", env.Peers(b.base), "$PORT2", itoa(b.Ports[1]), "$PORT", itoa(b.Ports[0]))
	var list []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		for w := range strings.FieldsSeq(part) {
			list = append(list, expand.Replace(w))
		}
	}
	return list
}

// start prepares a hull command with more variables; it is killed after the deadline.
func (b *box) command(ctx context.Context, line string, vars ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "hull", b.words(line)...)
	cmd.Env = append(append(os.Environ(), b.Vars...), vars...)
	cmd.Dir = b.Dir
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// do runs hull and says how it ended. A command that does not end is a failure of the case.
func (b *box) do(line string, vars ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	r := b.wait(b.command(ctx, line, vars...), line)
	if ctx.Err() != nil {
		b.t.Fatalf("no end within %s: %s", deadline, r)
	}
	return r
}

// wait runs a prepared command to its end.
func (b *box) wait(cmd *exec.Cmd, line string) result {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{line: line, stdout: stdout.String(), stderr: stderr.String()}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		r.code = e.ExitCode()
		if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			r.code = 128 + int(status.Signal())
		}
	} else if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		r.code, r.stderr = -1, r.stderr+err.Error()
	}
	return r
}

// must runs hull and returns what it printed; any other exit code than 0 ends the case.
func (b *box) must(line string, vars ...string) string {
	b.t.Helper()
	r := b.do(line, vars...)
	if !r.ok() {
		b.t.Fatalf("%s", r)
	}
	return strings.TrimSpace(r.stdout)
}

// says fails the case if a failed command did not print exactly one error line, or another than it should.
func (b *box) says(r result, want string) {
	b.t.Helper()
	var lines []string
	for line := range strings.Lines(r.stderr) {
		if strings.HasPrefix(line, "Error: ") {
			lines = append(lines, line)
		}
	}
	if r.ok() || len(lines) != 1 || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "goroutine ") {
		b.t.Errorf("want one error line with %q: %s", want, r)
	}
}

// until waits for a condition.
func (b *box) until(what string, cond func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		if time.Now().After(end) {
			b.t.Fatalf("not within 20s: %s\nprocesses: %v", what, b.Processes())
		}
	}
}

// quiet waits until no process of the sandbox is left but the one that holds its namespaces, and those that the names say.
func (b *box) quiet(but ...string) {
	b.t.Helper()
	b.until("no process is left but the pause process", func() bool {
		for _, command := range b.Processes() {
			known := slices.ContainsFunc(but, func(name string) bool { return strings.Contains(command, name) })
			if !known && !strings.HasPrefix(command, pauseName) {
				return false
			}
		}
		return true
	})
}

const pauseName = "hull-pause"

// whole fails the case if ps does not work, or shows a container that is half made, which inspect does not know. One that
// a monitor removes meanwhile is none.
func (b *box) whole() {
	b.t.Helper()
	const list = "ps -a --no-trunc --format '{{.ID}} {{.Status}}'"
	for line := range strings.Lines(b.must(list)) {
		id, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		if r := b.do("inspect " + id); status == "" || !r.ok() && strings.Contains(b.must(list), id) {
			b.t.Errorf("hull ps -a shows container %s as %q: %s", id, status, r)
		}
	}
}

// end removes everything and fails the case for whatever is left. The store must still be good for a container.
func (b *box) end() {
	b.t.Helper()
	b.must("rm -fa -t0 --depend") // in any order: without it, rm refuses one that another needs
	if out := b.must("ps -aq"); out != "" {
		b.t.Errorf("after rm -fa hull ps -a shows %s", out)
	}
	if b.do("image exists busybox").ok() {
		b.must("run --rm busybox true")
	}
	b.quiet()
	b.clean()
	b.End(b.t)
	if !b.t.Failed() {
		_ = os.RemoveAll(b.Dir)
	}
}

// clean looks itself for what a removed container may leave; hull system check, which Sandbox.End runs, looks closer.
func (b *box) clean() {
	b.t.Helper()
	if b.died { // with the lock of what was gone already
		b.must("system check")
	}
	for _, pattern := range []string{
		"run/hull/*/c/*", "run/hull/*/netns/*", "run/hull/*/locks/*", "run/hull/*/crun/*", "data/containers/storage/hull/containers/*",
		"data/hull/containers/*", "data/containers/storage/overlay/tempdirs/hull-*",
	} {
		if left, _ := filepath.Glob(filepath.Join(b.Dir, pattern)); len(left) > 0 {
			b.t.Errorf("left: %s", strings.Join(left, " "))
		}
	}
	for pid := range b.Processes() {
		mounts, err := os.ReadFile("/proc/" + itoa(pid) + "/mountinfo")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(mounts)) {
			if strings.Contains(line, b.Dir+"/") && !strings.Contains(line, "/overlay ") {
				b.t.Errorf("left mounted: %s", line)
			}
		}
	}
	for _, records := range []string{"data/containers/storage/overlay-containers/containers.json", "data/overlay-containers/containers.json"} {
		data, err := os.ReadFile(filepath.Join(b.Dir, records))
		if err == nil && len(strings.TrimSpace(string(data))) > len("null") {
			b.t.Errorf("the store still has containers: %s", data)
		}
	}
}
