package ocispec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

func TestLookupUser(t *testing.T) {
	root := plain(t).Rootfs
	for spec, want := range map[string]struct {
		uid, gid int
		groups   []int
		home     string
	}{
		"":          {0, 0, nil, "/root"},
		"root":      {0, 0, nil, "/root"},
		"web":       {33, 44, []int{55}, "/srv"},
		"33":        {33, 44, []int{55}, "/srv"},
		"web:other": {33, 66, nil, "/srv"},
		"web:7":     {33, 7, nil, "/srv"},
		"5000":      {5000, 0, nil, "/"},
		"5000:6000": {5000, 6000, nil, "/"},
		"0:web":     {0, 44, nil, "/root"},
	} {
		t.Run("of "+spec, func(t *testing.T) {
			got, err := LookupUser(root, spec)
			if err != nil {
				t.Fatal(err)
			}
			if got.Uid != want.uid || got.Gid != want.gid || !slices.Equal(got.Sgids, want.groups) || got.Home != want.home {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	for _, spec := range []string{"nosuch", "web:nosuch", "4294967296", "2147483648", "-1", "0:-1"} {
		t.Run("refuses "+spec, func(t *testing.T) {
			_, err := LookupUser(root, spec)
			refused(t, err, `user "`+spec+`"`)
			if errs.Hint(err) == "" {
				t.Error("no hint says the way out")
			}
		})
	}
	t.Run("an image without the files has root and numbers", func(t *testing.T) {
		got, err := LookupUser(t.TempDir(), "7")
		if err != nil || got.Uid != 7 || got.Home != "/" {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = LookupUser(t.TempDir(), "web")
		refused(t, err, `"web"`)
	})
}

// An image may hold anything at /etc/passwd: what it leads to is looked for inside, and nothing hangs or fills memory.
func TestLookupUserInAHostileImage(t *testing.T) {
	const line = "evil:x:666:666::/evil:/bin/sh\n"
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 40)
	t.Run("links cannot lead out of it", func(t *testing.T) {
		for _, files := range []map[string]string{
			{"etc/passwd": "->" + outside},
			{"etc/passwd": "->" + up + strings.TrimPrefix(outside, "/")},
			{"etc": "->" + filepath.Dir(outside)},
			{"etc": "->" + up + strings.TrimPrefix(filepath.Dir(outside), "/")},
			{"etc/passwd": "->/proc/self/root" + outside},
		} {
			if got, err := LookupUser(image(t, files), "evil"); err == nil {
				t.Errorf("%v: a user of the host is found: %+v", files, got)
			}
		}
	})
	t.Run("links inside it are followed", func(t *testing.T) {
		for _, target := range []string{"/real", "../real", up + "real"} {
			got, err := LookupUser(image(t, map[string]string{"real": line, "etc/passwd": "->" + target}), "evil")
			if err != nil || got.Uid != 666 {
				t.Errorf("%q: %+v, %v", target, got, err)
			}
		}
	})
	t.Run("a link to itself is an error", func(t *testing.T) {
		_, err := LookupUser(image(t, map[string]string{"etc/passwd": "->passwd"}), "root")
		refused(t, err, "/etc/passwd")
	})
	t.Run("a pipe is an error at once", func(t *testing.T) {
		root := image(t, map[string]string{"etc/group": ""})
		if err := unix.Mkfifo(filepath.Join(root, "etc/passwd"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := LookupUser(root, "root")
		refused(t, err, "not a regular file")
	})
	t.Run("a folder is an error", func(t *testing.T) {
		_, err := LookupUser(image(t, map[string]string{"etc/passwd/x": ""}), "root")
		refused(t, err, "/etc/passwd")
	})
	t.Run("an id that is none is an error", func(t *testing.T) {
		for _, id := range []string{"4294967296", "2147483648", "-1"} { // the first one would be root's when it is cut to 32 bits
			_, err := LookupUser(image(t, map[string]string{"etc/passwd": "evil:x:" + id + ":0::/:"}), "evil")
			refused(t, err, id)
			_, err = LookupUser(image(t, map[string]string{"etc/group": "evil:x:" + id + ":"}), "0:evil")
			refused(t, err, id)
		}
	})
	t.Run("a huge file is an error", func(t *testing.T) {
		root := image(t, map[string]string{"etc/passwd": line})
		if err := os.Truncate(filepath.Join(root, "etc/passwd"), maxPasswd+1); err != nil {
			t.Fatal(err)
		}
		_, err := LookupUser(root, "root")
		refused(t, err, "/etc/passwd")
	})
}

func TestProcessRunsAsTheUser(t *testing.T) {
	s := with(t, func(in *Input, _ *define.CreateOptions) { in.Config.User = "web" })
	u := s.Process.User
	if u.UID != 33 || u.GID != 44 || !slices.Equal(u.AdditionalGids, []uint32{55, 44}) {
		t.Errorf("%+v", u)
	}
	if !slices.Contains(s.Process.Env, "HOME=/srv") {
		t.Errorf("environment %q lacks the user's home", s.Process.Env)
	}
	_, err := tryWith(t, func(in *Input, _ *define.CreateOptions) { in.Config.User = "nosuch" })
	refused(t, err, `"nosuch"`)
	equal(t, "exit code", errs.Exit(err), 126)
}

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		user string
		add  []string
		want []uint32
	}{
		"a name and a number":           {"", []string{"other", "77"}, []uint32{66, 77}},
		"after those of the user":       {"web", []string{"other"}, []uint32{44, 55, 66}},
		"one that is there comes once":  {"web", []string{"extra", "55", "44"}, []uint32{44, 55}},
		"the own one of a number":       {"7:8", []string{"9"}, []uint32{8, 9}},
		"root's too, but for root's":    {"0:8", []string{"9"}, []uint32{8, 9}},
		"keep-groups leaves the user's": {"web", []string{"keep-groups"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := with(t, func(in *Input, o *define.CreateOptions) { in.Config.User, o.GroupAdd = c.user, c.add })
			got := s.Process.User.AdditionalGids
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			_, kept := s.Annotations["run.oci.keep_original_groups"]
			equal(t, "crun is told", kept, c.add[0] == "keep-groups")
		})
	}
	for _, c := range []struct {
		add  []string
		want string
	}{{[]string{"nosuch"}, "nosuch"}, {[]string{"keep-groups", "other"}, "keep-groups"}} {
		_, err := tryWith(t, func(_ *Input, o *define.CreateOptions) { o.GroupAdd = c.add })
		refused(t, err, c.want)
	}
}

func TestUmask(t *testing.T) {
	for text, want := range map[string]uint32{"0022": 0o22, "0": 0, "777": 0o777} {
		equal(t, text, *with(t, func(_ *Input, o *define.CreateOptions) { o.Umask = text }).Process.User.Umask, want)
	}
	for _, text := range []string{"8", "1000", "-1", "x", "0o22"} {
		_, err := tryWith(t, func(_ *Input, o *define.CreateOptions) { o.Umask = text })
		refused(t, err, `umask "`+text+`"`)
	}
}

func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env            []string
		home, hostname string
		tty            bool
		want           []string
	}{
		"home and host name are added":    {nil, "/root", "box", false, []string{"HOME=/root", "HOSTNAME=box"}},
		"a terminal has a type":           {nil, "/", "", true, []string{"TERM=xterm", "HOME=/"}},
		"what is set stays":               {[]string{"HOME=/mine", "HOSTNAME=", "TERM=vt100"}, "/root", "box", true, []string{"HOME=/mine", "HOSTNAME=", "TERM=vt100"}},
		"a name that begins so is no one": {[]string{"HOMEPAGE=x"}, "/root", "", false, []string{"HOMEPAGE=x", "HOME=/root"}},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(c.env)
			equal(t, "environment", Environment(c.env, c.home, c.hostname, c.tty), c.want)
			equal(t, "what was given", c.env, given)
		})
	}
}

func TestInitComesBeforeTheCommand(t *testing.T) {
	s := with(t, func(in *Input, o *define.CreateOptions) { o.Init, in.InitPath = true, "/usr/bin/tini" })
	equal(t, "arguments", s.Process.Args, []string{"/run/podman-init", "--", "sleep", "9"})
	m, ok := mountAt(s, "/run/podman-init")
	if !ok || m.Source != "/usr/bin/tini" || !slices.Contains(m.Options, "ro") {
		t.Errorf("mount %+v", m)
	}
}

func FuzzLookupUser(f *testing.F) {
	for _, seed := range [][2]string{{"root:x:0:0::/:", "root"}, {"a:b", "a"}, {"x:x:99999999999:1::/:", "x"}, {":::::", ":"}, {"+\n-1:x:-1:-1", "-1"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, passwd, spec string) {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"etc/passwd", "etc/group"} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(passwd), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := LookupUser(root, spec)
		if err != nil {
			return
		}
		const most = 1<<31 - 1 // what podman takes
		if got.Uid < 0 || got.Gid < 0 || got.Uid > most || got.Gid > most {
			t.Errorf("%q in %q is %+v", spec, passwd, got)
		}
	})
}
