package ociruntime

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// ended is the pid of a process that has ended and been waited for.
func ended(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestForget(t *testing.T) {
	gone, alive := strconv.Itoa(ended(t)), strconv.Itoa(os.Getpid())
	const plain, id = `{"ociVersion":"1.0.0"}`, "abc"
	for name, c := range map[string]struct {
		status, spec string
		change       func(r *Runtime, dir string) error
		want         bool
	}{
		"ended":           {status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":false}`, spec: plain, want: true},
		"alive":           {status: `{"pid":` + alive + `,"cgroup-path":"","systemd-cgroup":false}`, spec: plain},
		"systemd's scope": {status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":true}`, spec: plain},
		"hooks":           {status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":false}`, spec: `{"hooks":{"poststop":[]}}`},
		"another crun":    {status: `{"pid":` + gone + `}`, spec: plain},
		"damaged":         {status: `{"pid":`, spec: plain},
		"cgroup above":    {status: `{"pid":` + gone + `,"cgroup-path":"/../x","systemd-cgroup":false}`, spec: plain},
		"the root cgroup": {status: `{"pid":` + gone + `,"cgroup-path":"/","systemd-cgroup":false}`, spec: plain},
		"runc": {
			status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":false}`, spec: plain,
			change: func(r *Runtime, _ string) error { r.Path = "/usr/bin/runc"; return nil },
		},
		"flags of the user's": {
			status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":false}`, spec: plain,
			change: func(r *Runtime, _ string) error { r.Flags = []string{"--debug"}; return nil },
		},
		"half forgotten by one that was killed": {
			status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":false}`, spec: plain,
			change: func(_ *Runtime, dir string) error { return os.Remove(filepath.Join(dir, "config.json")) }, want: true,
		},
		"a folder in it": {
			status: `{"pid":` + gone + `,"cgroup-path":"","systemd-cgroup":false}`, spec: plain,
			change: func(_ *Runtime, dir string) error { return os.Mkdir(filepath.Join(dir, "more"), 0o700) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Runtime{Path: "/usr/bin/crun", Root: t.TempDir()}
			dir := filepath.Join(r.Root, id)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{"status": c.status, "config.json": c.spec, "seccomp.bpf": "x"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.change != nil {
				if err := c.change(&r, dir); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.forget(id); got != c.want {
				t.Errorf("forgot: %v, want %v", got, c.want)
			}
			_, err := os.Stat(filepath.Join(dir, "status"))
			if (err != nil) != c.want {
				t.Errorf("status: %v", err)
			}
		})
	}
	for _, id := range []string{"", "..", "nosuch", "a/b"} {
		if (Runtime{Path: "/usr/bin/crun", Root: t.TempDir()}).forget(id) {
			t.Errorf("forgot %q", id)
		}
	}
}
