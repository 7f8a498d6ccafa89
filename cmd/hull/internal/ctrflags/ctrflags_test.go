package ctrflags

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
)

// parse reads a command line as run does, with the configuration that no file has changed.
func parse(t *testing.T, args ...string) (define.CreateOptions, error) {
	t.Helper()
	return parseWith(t, config.Default(), args...)
}

func parseWith(t *testing.T, c *config.Config, args ...string) (define.CreateOptions, error) {
	t.Helper()
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags := New()
	flags.Add(fs, true)
	if err := fs.Parse(append(args, "image")); err != nil {
		t.Fatalf("%q is not read: %v", args, err)
	}
	return flags.Apply(fs, fs.Args(), c)
}

// must is parse of a line that is right.
func must(t *testing.T, args ...string) define.CreateOptions {
	t.Helper()
	o, err := parse(t, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return o
}

// refused checks that a command line is answered by one line which names the thing.
func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	_, err := parse(t, args...)
	if err == nil {
		t.Fatalf("%q is taken", args)
	}
	if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, want) {
		t.Errorf("%q: error %q, want one line with %q", args, text, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %#v, want %#v", what, got, want)
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWordsBehindTheImageAreTheCommandsOwn(t *testing.T) {
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags := New()
	flags.Add(fs, true)
	if err := fs.Parse([]string{"-t", "busybox", "sh", "-i", "--rm"}); err != nil {
		t.Fatal(err)
	}
	o, err := flags.Apply(fs, fs.Args(), config.Default())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "image", o.Image, "busybox")
	equal(t, "command", o.Command, []string{"sh", "-i", "--rm"})
	if !o.TTY || o.Interactive || o.Remove {
		t.Errorf("TTY %v, interactive %v, remove %v; want the first alone", o.TTY, o.Interactive, o.Remove)
	}
}

func TestCreateLacksFlagsOfRun(t *testing.T) {
	fs := pflag.NewFlagSet("create", pflag.ContinueOnError)
	flags := New()
	flags.Add(fs, false)
	for _, name := range []string{"rmi", "detach-keys", "preserve-fds", "preserve-fd", "passwd"} {
		if fs.Lookup(name) != nil {
			t.Errorf("create has --%s", name)
		}
	}
	o, err := flags.Apply(fs, []string{"image"}, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	if !o.Passwd {
		t.Error("create does not add the user to /etc/passwd, run does")
	}
}

func TestDefaults(t *testing.T) {
	o := must(t)
	equal(t, "shm", o.ShmSize, int64(64<<20))
	equal(t, "pull", o.Pull, "missing")
	equal(t, "image volumes", o.ImageVolume, "anonymous")
	equal(t, "stop timeout", o.StopTimeout, uint(10))
	equal(t, "umask", o.Umask, "0022")
	equal(t, "detach keys", o.DetachKeys, "ctrl-p,ctrl-q")
	equal(t, "entrypoint", o.Entrypoint, (*[]string)(nil))
	equal(t, "dns", o.DNS, (*[]string)(nil))
	equal(t, "mounts", len(o.Mounts), 0)
	equal(t, "command", len(o.Command), 0)
	equal(t, "network", len(o.Network), 0)
	if !o.HTTPProxy || !o.Passwd || !o.ReadOnlyTmpfs || o.ReadOnly || o.Privileged || o.Remove {
		t.Errorf("a default of a switch is not podman's: %+v", o)
	}
}
