package ocispec

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
)

func TestParseDevice(t *testing.T) {
	for text, want := range map[string]Device{
		"/dev/a":        {"/dev/a", "/dev/a", "rwm"},
		"/dev/a:r":      {"/dev/a", "/dev/a", "r"},
		"/dev/a:/b":     {"/dev/a", "/b", "rwm"},
		"/dev/a:/b:mr":  {"/dev/a", "/b", "mr"},
		"/dev/a:/b:rwm": {"/dev/a", "/b", "rwm"},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParseDevice(text)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "device", got, want)
		})
	}
	for _, c := range []struct{ text, want string }{
		{"", `device ""`},
		{"null", `"null": a path in it is not absolute`},
		{"/dev/a:b", "not absolute"},
		{"/dev/a:", "not absolute"},
		{"/dev/a:/b:", `"" is not made of r, w and m`},
		{"/dev/a:/b:rwx", `"rwx" is not made of r, w and m`},
		{"/dev/a:/b:rwmr", `"rwmr"`},
		{"/dev/a:/b:r:w", "HOST[:CONTAINER][:rwm]"},
	} {
		t.Run("refuses "+c.text, func(t *testing.T) {
			_, err := ParseDevice(c.text)
			refused(t, err, c.want)
		})
	}
}

func TestDevices(t *testing.T) {
	t.Run("rootless a device is bound", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) {
			o.Devices = []string{"/dev/null:/dev/own", "/dev/zero:/dev/two:r"}
		})
		for dest, want := range map[string]specs.Mount{
			"/dev/own": {Destination: "/dev/own", Type: "bind", Source: "/dev/null", Options: []string{"bind", "rprivate", "nosuid", "noexec", "rw"}},
			"/dev/two": {Destination: "/dev/two", Type: "bind", Source: "/dev/zero", Options: []string{"bind", "rprivate", "nosuid", "noexec", "ro"}},
		} {
			m, _ := mountAt(s, dest)
			equal(t, "mount", m, want)
		}
		equal(t, "devices", len(s.Linux.Devices), 0)
	})
	t.Run("as root it is made by number and allowed", func(t *testing.T) {
		s := with(t, func(in *Input, o *define.CreateOptions) {
			in.Rootless, o.Devices = false, []string{"/dev/null:/dev/own:rw"}
		})
		if len(s.Linux.Devices) != 1 || len(s.Linux.Resources.Devices) != 1 {
			t.Fatalf("%+v, %+v", s.Linux.Devices, s.Linux.Resources.Devices)
		}
		d, rule := s.Linux.Devices[0], s.Linux.Resources.Devices[0]
		if d.Path != "/dev/own" || d.Type != "c" || d.Major != 1 || d.Minor != 3 {
			t.Errorf("%+v", d)
		}
		if !rule.Allow || rule.Access != "rw" || *rule.Major != 1 || *rule.Minor != 3 {
			t.Errorf("%+v", rule)
		}
	})
	t.Run("privileged as root may use all", func(t *testing.T) {
		s := with(t, func(in *Input, o *define.CreateOptions) { in.Rootless, o.Privileged = false, true })
		equal(t, "first rule", s.Linux.Resources.Devices[0], specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"})
		for _, d := range s.Linux.Devices {
			if slices.Contains([]string{"/dev/null", "/dev/console", "/dev/ptmx", "/dev/tty", "/dev/tty1"}, d.Path) || strings.HasPrefix(d.Path, "/dev/pts/") {
				t.Errorf("%s is handed in", d.Path)
			}
		}
	})
	t.Run("host devices are found in folders too", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(dir+"/dri", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mknod(dir+"/dri/card0", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err != nil {
			t.Skipf("mknod: %v", err)
		}
		list, err := hostDevices(dir, true)
		if err != nil || !slices.Equal(list, []string{dir + "/dri/card0"}) {
			t.Errorf("%q, %v", list, err)
		}
		for path, want := range map[string]bool{"/dev/tty0": true, "/dev/tty63": true, "/dev/tty": false, "/dev/ttyS0": false, "/dev/ttyUSB0": false, "/dev/ttyACM1": false} {
			equal(t, path, isConsole(path), want)
		}
	})
	for _, c := range []struct{ device, want string }{
		{"/nonexistent/device", `device "/nonexistent/device"`},
		{"/proc/version", "is not a device"},
	} {
		_, err := tryWith(t, func(_ *Input, o *define.CreateOptions) { o.Devices = []string{c.device} })
		refused(t, err, c.want)
	}
}

func FuzzParseDevice(f *testing.F) {
	for _, seed := range []string{"/dev/null", "/a:/b:r", ":", "::", "/a:m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDevice(text)
		if err == nil && (d.Host[0] != '/' || d.Inside[0] != '/' || d.Access == "" || strings.Trim(d.Access, "rwm") != "") {
			t.Errorf("%q is %+v", text, d)
		}
	})
}
