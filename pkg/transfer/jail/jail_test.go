package jail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inside is the environment variable with which this program tries what a jailed one may do in the folder that it names.
const inside = "HULL_TEST_JAIL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(inside); dir != "" {
		try(dir)
		return
	}
	os.Exit(m.Run())
}

// try prints what came of each attempt.
func try(dir string) {
	file := filepath.Join(dir, "file")
	say := func(what string, err error) { fmt.Printf("%s: %t\n", what, err == nil) }
	_, err := os.ReadFile(file)
	say("read", err)
	_, err = os.OpenFile(file, os.O_RDWR, 0)
	say("write", err)
	_, err = os.OpenFile(file, os.O_RDONLY|os.O_CREATE, 0o600)
	say("create", err)
	say("truncate", os.Truncate(file, 0))
	say("remove", os.Remove(file))
	say("rename", os.Rename(file, file+"2"))
	say("mkdir", os.Mkdir(filepath.Join(dir, "new"), 0o700))
	say("link", os.Symlink(file, filepath.Join(dir, "link")))
	say("mode", os.Chmod(file, 0o600))
	_, err = net.Dial("udp", "127.0.0.1:9")
	say("socket", err)
	say("signal", unix.Kill(os.Getpid(), 0))
	say("namespace", unix.Unshare(unix.CLONE_NEWUSER))
	data, err := os.ReadFile("/proc/self/status")
	say("status", err)
	for line := range strings.Lines(string(data)) {
		switch key, _, _ := strings.Cut(line, ":"); key {
		case "Uid", "Gid", "Groups", "CapPrm", "CapEff", "NoNewPrivs", "Seccomp":
			fmt.Print(strings.Join(strings.Fields(line), " ") + "\n")
		}
	}
	in, err := io.ReadAll(os.Stdin)
	say("stdin is "+string(in), err)
}

func forRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("to become nobody is for root")
	}
	if arch == 0 {
		t.Skip("no filter for this architecture")
	}
}

func TestJail(t *testing.T) {
	forRoot(t)
	dir, err := os.MkdirTemp("", "jail") //nolint:usetesting // that one is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	err = errors.Join(os.WriteFile(program, exe, 0o755), os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600),
		os.Chmod(filepath.Join(dir, "file"), 0o666), os.Chmod(dir, 0o777)) // whatever the umask is
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = []string{inside + "=" + dir}, strings.NewReader("its own"), &out, &out
	if err := Start(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"read: true", "write: false", "create: false", "truncate: false", "remove: false", "rename: false", "mkdir: false", "link: false",
		"mode: false", "socket: false", "signal: false", "namespace: false", "status: true", "stdin is its own: true", "NoNewPrivs: 1",
		"Uid: 65534 65534 65534 65534", "Gid: 65534 65534 65534 65534", "Groups:", "CapPrm: 0000000000000000", "CapEff: 0000000000000000",
		"Seccomp: 2",
	} {
		if !strings.Contains("\n"+out.String(), "\n"+want+"\n") {
			t.Errorf("not %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	if err := unix.Kill(os.Getpid(), 0); err != nil {
		t.Errorf("this process has become a prisoner too: %v", err)
	}
}

// TestEnds: a program that reads nothing and writes nothing dies when it is told to.
func TestEnds(t *testing.T) {
	forRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	command := func(words ...string) *exec.Cmd {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd
	}
	cmd := command("sleep", "1000")
	if err := Start(ctx, cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	cancel()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
	if err := Start(ctx, command("true")); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if err := Start(t.Context(), command("/nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}
