package ocispec

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
)

// podman's list since 4.4, which Debian's 4.3.1 has too.
var podmanCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

func TestCapabilities(t *testing.T) {
	plus := func(names ...string) []string {
		list := append(slices.Clone(podmanCapabilities), names...)
		slices.Sort(list)
		return list
	}
	less := func(list []string, name string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(c string) bool { return c == name })
	}
	all := boundable()
	type sets struct{ bounding, effective, ambient []string }
	for name, c := range map[string]struct {
		user       string
		add, drop  []string
		privileged bool
		want       sets
	}{
		"podman's by default":               {want: sets{podmanCapabilities, podmanCapabilities, nil}},
		"one more":                          {add: []string{"net_admin"}, want: sets{plus("CAP_NET_ADMIN"), plus("CAP_NET_ADMIN"), nil}},
		"with CAP_ in front, in any case":   {add: []string{"Cap_Net_Admin"}, want: sets{plus("CAP_NET_ADMIN"), plus("CAP_NET_ADMIN"), nil}},
		"one that is there":                 {add: []string{"CHOWN"}, want: sets{podmanCapabilities, podmanCapabilities, nil}},
		"one less":                          {drop: []string{"kill"}, want: sets{less(podmanCapabilities, "CAP_KILL"), less(podmanCapabilities, "CAP_KILL"), nil}},
		"one that is not there less":        {drop: []string{"net_admin"}, want: sets{podmanCapabilities, podmanCapabilities, nil}},
		"none":                              {drop: []string{"all"}},
		"none but one":                      {drop: []string{"ALL"}, add: []string{"chown"}, want: sets{[]string{"CAP_CHOWN"}, []string{"CAP_CHOWN"}, nil}},
		"all":                               {add: []string{"ALL"}, want: sets{all, all, nil}},
		"all but one":                       {add: []string{"ALL"}, drop: []string{"chown"}, want: sets{less(all, "CAP_CHOWN"), less(all, "CAP_CHOWN"), nil}},
		"privileged":                        {privileged: true, want: sets{all, all, nil}},
		"a user has none in effect":         {user: "33", want: sets{podmanCapabilities, nil, nil}},
		"a user has those that are added":   {user: "33", add: []string{"net_raw", "chown"}, want: sets{plus("CAP_NET_RAW"), []string{"CAP_CHOWN", "CAP_NET_RAW"}, []string{"CAP_CHOWN", "CAP_NET_RAW"}}},
		"a user has all when all are added": {user: "33", add: []string{"ALL"}, want: sets{all, all, all}},
		"a user has all added but one":      {user: "33", add: []string{"ALL"}, drop: []string{"chown"}, want: sets{less(all, "CAP_CHOWN"), less(all, "CAP_CHOWN"), less(all, "CAP_CHOWN")}},
	} {
		t.Run(name, func(t *testing.T) {
			got := with(t, func(in *Input, o *define.CreateOptions) {
				in.Config.User, o.CapAdd, o.CapDrop, o.Privileged = c.user, c.add, c.drop, c.privileged
			}).Process.Capabilities
			for set, pair := range map[string][2][]string{
				"bounding": {got.Bounding, c.want.bounding}, "effective": {got.Effective, c.want.effective},
				"permitted": {got.Permitted, c.want.effective}, "ambient": {got.Ambient, c.want.ambient},
				"inheritable": {got.Inheritable, c.want.ambient},
			} {
				if !slices.Equal(pair[0], pair[1]) {
					t.Errorf("%s: %q, want %q", set, pair[0], pair[1])
				}
			}
		})
	}
}

func TestWrongCapabilitiesAreRefused(t *testing.T) {
	for _, c := range []struct {
		add, drop []string
		want      string
	}{
		{[]string{"CHWON"}, nil, `no capability "CHWON"`},
		{nil, []string{"bogus"}, `no capability "bogus"`},
		{[]string{""}, nil, `no capability ""`},
		{[]string{"chown"}, []string{"CAP_CHOWN"}, `"CAP_CHOWN" cannot be dropped and added`},
		{[]string{"all"}, []string{"ALL"}, "cannot both be ALL"},
	} {
		_, err := Capabilities(podmanCapabilities, c.add, c.drop)
		refused(t, err, c.want)
	}
}

func TestExecCapabilities(t *testing.T) {
	process := func(uid uint32) *specs.Process {
		some := []string{"CAP_CHOWN", "CAP_KILL"}
		return &specs.Process{User: specs.User{UID: uid}, Capabilities: &specs.LinuxCapabilities{Bounding: some, Effective: some[:1], Permitted: some[:1], Ambient: some[:1]}}
	}
	for name, c := range map[string]struct {
		uid                uint32
		privileged, named  bool
		effective, ambient []string
	}{
		"the container's own when no user is named": {5, false, false, []string{"CAP_CHOWN"}, []string{"CAP_CHOWN"}},
		"none in effect for a user who is named":    {5, false, true, nil, nil},
		"what the container may have for root":      {0, false, true, []string{"CAP_CHOWN", "CAP_KILL"}, nil},
		"all with --privileged":                     {0, true, true, boundable(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := process(c.uid)
			if err := ExecCapabilities(p, c.privileged, c.named); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.Capabilities.Effective, c.effective) || !slices.Equal(p.Capabilities.Ambient, c.ambient) {
				t.Errorf("effective %q, ambient %q", p.Capabilities.Effective, p.Capabilities.Ambient)
			}
		})
	}
}

func TestMaskedPaths(t *testing.T) {
	podman := []string{ // of 4.3.1; hull has /sys/devices/virtual/powercap too, as later ones
		"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
		"/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/dev/block",
	}
	podmanReadOnly := []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	paths := func(opts ...string) (masked, readOnly []string) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.SecurityOpts = opts })
		return s.Linux.MaskedPaths, s.Linux.ReadonlyPaths
	}
	t.Run("podman's by default", func(t *testing.T) {
		masked, readOnly := paths()
		for _, p := range podman {
			if !slices.Contains(masked, p) {
				t.Errorf("%s is not masked", p)
			}
		}
		equal(t, "read-only", readOnly, podmanReadOnly)
	})
	t.Run("none with --privileged", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.Privileged = true })
		equal(t, "masked and read-only", len(s.Linux.MaskedPaths)+len(s.Linux.ReadonlyPaths), 0)
	})
	t.Run("unmask=ALL leaves none", func(t *testing.T) {
		masked, readOnly := paths("unmask=all")
		equal(t, "masked and read-only", len(masked)+len(readOnly), 0)
	})
	t.Run("unmask takes paths and patterns", func(t *testing.T) {
		masked, readOnly := paths("unmask=/proc/acpi:/proc/s*")
		for _, p := range []string{"/proc/acpi", "/proc/sched_debug", "/proc/scsi", "/proc/sys", "/proc/sysrq-trigger"} {
			if slices.Contains(masked, p) || slices.Contains(readOnly, p) {
				t.Errorf("%s is still there", p)
			}
		}
		if !slices.Contains(masked, "/proc/kcore") || !slices.Contains(readOnly, "/proc/irq") {
			t.Errorf("others have gone: %q, %q", masked, readOnly)
		}
	})
	t.Run("mask adds, also with --privileged", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.Privileged, o.SecurityOpts = true, []string{"mask=/a:/b"} })
		equal(t, "masked", s.Linux.MaskedPaths, []string{"/a", "/b"})
	})
}

func TestSeccomp(t *testing.T) {
	own := filepath.Join(t.TempDir(), "profile.json")
	if err := os.WriteFile(own, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		opts       []string
		fallback   string
		privileged bool
		want       specs.LinuxSeccompAction // of what the profile does not name; "": no filter
	}{
		"the built-in one by default":                {want: specs.ActErrno},
		"the configuration's file":                   {fallback: own, want: specs.ActAllow},
		"the user's file over it":                    {fallback: bad, opts: []string{"seccomp=" + own}, want: specs.ActAllow},
		"unconfined":                                 {opts: []string{"seccomp=unconfined"}},
		"the configuration's unconfined":             {fallback: "unconfined"},
		"docker's colon":                             {opts: []string{"seccomp:unconfined"}},
		"none with --privileged":                     {privileged: true},
		"none with --privileged, whatever is set up": {privileged: true, fallback: own},
		"the user's file with --privileged":          {privileged: true, opts: []string{"seccomp=" + own}, want: specs.ActAllow},
	} {
		t.Run(name, func(t *testing.T) {
			s := with(t, func(in *Input, o *define.CreateOptions) {
				in.Seccomp, o.SecurityOpts, o.Privileged = c.fallback, c.opts, c.privileged
			})
			if s.Linux.Seccomp == nil {
				equal(t, "filter", specs.LinuxSeccompAction(""), c.want)
				return
			}
			equal(t, "filter", s.Linux.Seccomp.DefaultAction, c.want)
		})
	}
	t.Run("a capability opens its calls", func(t *testing.T) {
		mounts := func(add ...string) bool {
			s := with(t, func(_ *Input, o *define.CreateOptions) { o.CapAdd = add })
			return slices.ContainsFunc(s.Linux.Seccomp.Syscalls, func(c specs.LinuxSyscall) bool {
				return c.Action == specs.ActAllow && slices.Contains(c.Names, "quotactl")
			})
		}
		if mounts() || !mounts("SYS_ADMIN") {
			t.Errorf("quotactl without SYS_ADMIN: %v, with it: %v", mounts(), mounts("SYS_ADMIN"))
		}
	})
	t.Run("a container in the container can be made", func(t *testing.T) {
		s := with(t, nil)
		for _, call := range nested {
			rules := slices.DeleteFunc(slices.Clone(s.Linux.Seccomp.Syscalls), func(c specs.LinuxSyscall) bool { return !slices.Contains(c.Names, call) })
			if len(rules) != 1 || rules[0].Action != specs.ActAllow || len(rules[0].Args) > 0 {
				t.Errorf("%s: %+v", call, rules)
			}
		}
	})
	for _, path := range []string{bad, "/nonexistent/profile"} {
		_, err := tryWith(t, func(_ *Input, o *define.CreateOptions) { o.SecurityOpts = []string{"seccomp=" + path} })
		refused(t, err, path)
		refused(t, CheckSeccomp(path), path)
	}
	for _, path := range []string{"", "unconfined", own} {
		if err := CheckSeccomp(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestParseSecurityOpts(t *testing.T) {
	got, err := ParseSecurityOpts([]string{"no-new-privileges", "label=disable", "proc-opts=hidepid=2,subset=pid", "mask=/a:/b", "apparmor=unconfined"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "options", got, SecurityOpts{
		NoNewPrivileges: true, LabelDisable: true, ProcOpts: []string{"hidepid=2", "subset=pid"}, Mask: []string{"/a", "/b"}, AppArmor: "unconfined",
	})
	for text, want := range map[string]bool{"no-new-privileges:true": true, "no-new-privileges=true": true, "no-new-privileges=false": false} {
		got, err := ParseSecurityOpts([]string{text})
		if err != nil || got.NoNewPrivileges != want {
			t.Errorf("%q: %v, %v", text, got.NoNewPrivileges, err)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"bogus", `no option "bogus"`},
		{"secomp=x", `"secomp"; did you mean "seccomp"?`},
		{"seccomp", "seccomp=VALUE"},
		{"mask=", "mask=VALUE"},
		{"no-new-privileges=maybe", "not true or false"},
		{"label=type:x", "SELinux"},
		{"", `no option ""`},
	} {
		_, err := ParseSecurityOpts([]string{c.text})
		refused(t, err, c.want)
	}
	t.Run("they come into the spec", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) {
			o.SecurityOpts = []string{"no-new-privileges", "proc-opts=hidepid=2"}
		})
		proc, _ := mountAt(s, "/proc")
		if !s.Process.NoNewPrivileges || !slices.Contains(proc.Options, "hidepid=2") {
			t.Errorf("no new privileges %v, /proc %q", s.Process.NoNewPrivileges, proc.Options)
		}
	})
}
