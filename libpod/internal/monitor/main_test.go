package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
)

// These tests run real containers. crun refuses hybrid cgroups, so the test binary runs itself once more in a mount
// namespace of its own where /sys/fs/cgroup is cgroup2 alone.

const inNamespace = "_HULL_TEST_CGROUP2"

var (
	conmon   string // the built hull-conmon
	rootfs   string // with busybox
	whyNot   string // why containers cannot run here, or ""
	testHome string
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if os.Getuid() != 0 {
		whyNot = "not root"
	} else if os.Getenv(inNamespace) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		if err == nil {
			return 0
		}
		whyNot = "no mount namespace: " + err.Error()
	} else if err := pureCgroup2(); err != nil {
		whyNot = "no cgroup2: " + err.Error()
	}
	var err error
	if testHome, err = os.MkdirTemp("", "hull-monitor-"); err == nil {
		defer func() { _ = os.RemoveAll(testHome) }()
		err = prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func pureCgroup2() error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "")
}

func prepare() error {
	conmon = filepath.Join(testHome, "hull-conmon")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", conmon, "hull.dev/hull/conmon")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build hull-conmon: %w\n%s", err, out)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		whyNot = "no busybox"
		return nil
	}
	rootfs = filepath.Join(testHome, "rootfs")
	bin := filepath.Join(rootfs, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), data, 0o755); err != nil {
		return err
	}
	for name := range strings.FieldsSeq("sh cat echo sleep dd stty true false kill head wc sha256sum touch yes tail rm ls") {
		if err := os.Symlink("busybox", filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(bin, "notexec"), []byte("x"), 0o644)
}

// box is one container of a test, and the monitor's folder of it.
type box struct {
	t       testing.TB
	req     protocol.Request
	starter *Starter
	root    string
}

// eachRuntime runs a test with crun and with runc.
func eachRuntime(t *testing.T, fn func(t *testing.T, runtime string)) {
	t.Helper()
	if whyNot != "" {
		t.Skip("containers do not run here:", whyNot)
	}
	for _, name := range []string{"crun", "runc"} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skip(name, "is not installed")
			}
			fn(t, path)
		})
	}
}

// newBox makes a container that runs a shell script, or with several words that command.
func newBox(t testing.TB, runtime string, command ...string) *box {
	t.Helper()
	if len(command) == 1 {
		command = []string{"/bin/sh", "-c", command[0]}
	}
	dir := t.TempDir()
	b := &box{t: t, starter: &Starter{Path: conmon, Debug: true}, root: filepath.Join(dir, "root")}
	b.req = protocol.Request{
		Kind: protocol.KindContainer, Mode: protocol.ModeRun, ID: fmt.Sprintf("hull-test-%d-%d", os.Getpid(), time.Now().UnixNano()),
		Name: "box", Dir: filepath.Join(dir, "run"), Runtime: runtime, RuntimeArgs: []string{"--root", b.root},
		Bundle: filepath.Join(dir, "bundle"), AttachStdout: true, AttachStderr: true, OwnerCleans: true,
		LogDriver: protocol.LogK8sFile, LogPath: filepath.Join(dir, "ctr.log"),
	}
	for _, d := range []string{b.req.Dir, b.req.Bundle, b.root} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b.writeSpec(command, false)
	t.Cleanup(func() {
		cmd := exec.Command(runtime, "--root", b.root, "delete", "--force", b.req.ID)
		_ = cmd.Run()
		b.waitGone()
	})
	return b
}

func (b *box) writeSpec(command []string, terminal bool) {
	b.t.Helper()
	caps := []string{"CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"}
	mount := func(dest, kind string, options ...string) map[string]any {
		return map[string]any{"destination": dest, "type": kind, "source": kind, "options": options}
	}
	spec := map[string]any{
		"ociVersion": "1.0.0",
		"process":    process(command, terminal, caps),
		"root":       map[string]any{"path": rootfs, "readonly": false},
		"mounts": []any{
			mount("/proc", "proc"), mount("/dev", "tmpfs", "nosuid", "mode=755"), mount("/tmp", "tmpfs"),
			mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
			map[string]any{"destination": "/run", "type": "bind", "source": b.req.Bundle, "options": []string{"rbind"}},
		},
		"linux": map[string]any{
			"cgroupsPath": "/" + b.req.ID,
			"namespaces":  []any{map[string]any{"type": "pid"}, map[string]any{"type": "mount"}, map[string]any{"type": "ipc"}, map[string]any{"type": "uts"}},
		},
	}
	data, err := json.Marshal(spec)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.req.Bundle, "config.json"), data, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func process(command []string, terminal bool, caps []string) map[string]any {
	return map[string]any{
		"terminal": terminal, "args": command, "cwd": "/", "env": []string{"PATH=/bin"},
		"user":         map[string]any{"uid": 0, "gid": 0},
		"capabilities": map[string]any{"bounding": caps, "effective": caps, "permitted": caps},
	}
}

// start starts the box and ends it with the test.
func (b *box) start() *Session {
	b.t.Helper()
	s, err := b.starter.Start(b.t.Context(), b.req, Files{})
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	return s
}

// exec makes the box of an exec session in b.
func (b *box) exec(terminal bool, command ...string) *box {
	b.t.Helper()
	dir := b.t.TempDir()
	e := *b
	e.req.Kind, e.req.Dir, e.req.ProcessFile = protocol.KindExec, filepath.Join(dir, "run"), filepath.Join(dir, "process.json")
	e.req.LogDriver, e.req.LogPath, e.req.Terminal = "", "", terminal
	data, err := json.Marshal(process(command, terminal, nil))
	if err == nil {
		err = errors.Join(os.WriteFile(e.req.ProcessFile, data, 0o600), os.Mkdir(e.req.Dir, 0o700))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return &e
}

// waitGone waits for the end of the monitor.
func (b *box) waitGone() {
	b.t.Helper()
	until(b.t, "the monitor has ended", func() bool {
		alive, err := protocol.Alive(b.req.Dir)
		return !alive && err == nil
	})
}

func (b *box) status() protocol.Status {
	b.t.Helper()
	s, err := protocol.ReadStatus(b.req.Dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *box) log() string {
	b.t.Helper()
	data, err := os.ReadFile(b.req.LogPath)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// until polls a condition that no event announces.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.Done():
			t.Fatalf("waited too long until %s", what)
		case <-tick.C:
		}
	}
}
