package ocispec

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
)

func mountAt(s *specs.Spec, dest string) (specs.Mount, bool) {
	i := slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == dest })
	if i < 0 {
		return specs.Mount{}, false
	}
	return s.Mounts[i], true
}

func TestSystemMounts(t *testing.T) {
	t.Run("podman's by default", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.ShmSize = 7 })
		for dest, want := range map[string]string{ // type and options of podman 4.3.1, but for /dev/shm, which has no folder here
			"/proc": "proc nosuid,noexec,nodev", "/dev": "tmpfs nosuid,noexec,strictatime,mode=755,size=65536k",
			"/sys": "sysfs nosuid,noexec,nodev,ro", "/dev/pts": "devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
			"/dev/mqueue": "mqueue nosuid,noexec,nodev", "/dev/shm": "tmpfs nosuid,noexec,nodev,mode=1777,size=7",
			"/sys/fs/cgroup": "cgroup rprivate,nosuid,noexec,nodev,relatime,ro",
		} {
			m, _ := mountAt(s, dest)
			equal(t, dest, m.Type+" "+strings.Join(m.Options, ","), want)
		}
		equal(t, "number", len(s.Mounts), 7)
	})
	t.Run("a folder behind /dev/shm is bound", func(t *testing.T) {
		m, _ := mountAt(with(t, func(in *Input, _ *define.CreateOptions) { in.Shm = "/shm" }), "/dev/shm")
		equal(t, "mount", m, specs.Mount{Destination: "/dev/shm", Type: "bind", Source: "/shm", Options: []string{"bind", "rprivate", "nosuid", "noexec", "nodev"}})
	})
	t.Run("ipc none has no /dev/shm", func(t *testing.T) {
		if m, ok := mountAt(with(t, func(_ *Input, o *define.CreateOptions) { o.IPC = "none" }), "/dev/shm"); ok {
			t.Errorf("%+v", m)
		}
	})
	t.Run("privileged may write to /sys", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.Privileged = true })
		for _, dest := range []string{"/sys", "/sys/fs/cgroup"} {
			if m, _ := mountAt(s, dest); slices.Contains(m.Options, "ro") || !slices.Contains(m.Options, "rw") {
				t.Errorf("%s: %q", dest, m.Options)
			}
		}
	})
	for dest, change := range map[string]func(*Input, *define.CreateOptions){
		"/proc":          func(_ *Input, o *define.CreateOptions) { o.PID = "host" },
		"/sys":           func(in *Input, _ *define.CreateOptions) { in.Config.Network = "host" },
		"/dev/mqueue":    func(_ *Input, o *define.CreateOptions) { o.IPC = "host" },
		"/sys/fs/cgroup": func(_ *Input, o *define.CreateOptions) { o.CgroupNS = "host" },
	} {
		t.Run(dest+" is the host's with its namespace, rootless", func(t *testing.T) {
			m, ok := mountAt(with(t, change), dest)
			if _, err := os.Stat(dest); err != nil {
				equal(t, "mounted though the host has none", ok, false)
			} else if m.Type != "bind" || m.Source != dest {
				t.Errorf("%+v", m)
			}
		})
		t.Run(dest+" is new with the host's namespace, as root", func(t *testing.T) {
			m, _ := mountAt(with(t, func(in *Input, o *define.CreateOptions) {
				in.Rootless = false
				change(in, o)
			}), dest)
			if m.Type == "bind" {
				t.Errorf("%+v", m)
			}
		})
	}
	t.Run("terminals have no group where tty is not mapped", func(t *testing.T) {
		for name, change := range map[string]func(*Input, *define.CreateOptions){
			"one id": func(in *Input, _ *define.CreateOptions) { in.MaxID = 0 },
			"own id map": func(in *Input, _ *define.CreateOptions) {
				in.Config.IDMap = &define.IDMap{GIDs: []define.IDRange{{Size: 5}}}
			},
		} {
			if m, _ := mountAt(with(t, change), "/dev/pts"); slices.Contains(m.Options, "gid=5") {
				t.Errorf("%s: %q", name, m.Options)
			}
		}
		m, _ := mountAt(with(t, func(in *Input, _ *define.CreateOptions) {
			in.Config.IDMap = &define.IDMap{GIDs: []define.IDRange{{Size: 1}, {ContainerID: 1, Size: 5}}}
		}), "/dev/pts")
		if !slices.Contains(m.Options, "gid=5") {
			t.Errorf("six ids: %q", m.Options)
		}
	})
}

func TestUserMounts(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		mount define.Mount
		want  specs.Mount
	}{
		"a bind mount has podman's options": {define.Mount{Type: "bind", Source: dir, Dest: "/x"}, specs.Mount{Type: "bind", Source: dir, Options: []string{"rw", "rprivate", "rbind"}}},
		"given ones stay, hull's own go":    {define.Mount{Type: "bind", Source: dir, Dest: "/x", Options: []string{"ro", "z", "U", "rslave", "bind"}}, specs.Mount{Type: "bind", Source: dir, Options: []string{"ro", "rslave", "bind"}}},
		"a source that is a link":           {define.Mount{Type: "bind", Source: link, Dest: "/x"}, specs.Mount{Type: "bind", Source: dir, Options: []string{"rw", "rprivate", "rbind"}}},
		"a tmpfs has podman's options":      {define.Mount{Type: "tmpfs", Dest: "/x"}, specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"rw", "nosuid", "nodev", "rprivate", "tmpcopyup"}}},
		"a tmpfs with others":               {define.Mount{Type: "tmpfs", Dest: "/x", Options: []string{"ro", "suid", "dev", "size=1m", "notmpcopyup"}}, specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"ro", "suid", "dev", "size=1m", "rprivate"}}},
		"a tmpfs that is the user's":        {define.Mount{Type: "tmpfs", Dest: "/x", Options: []string{"U"}}, specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"uid=0", "gid=0", "rw", "nosuid", "nodev", "rprivate", "tmpcopyup"}}},
		"a devpts":                          {define.Mount{Type: "devpts", Dest: "/x"}, specs.Mount{Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666"}}},
		"a destination is made plain":       {define.Mount{Type: "tmpfs", Dest: "/y/../x/"}, specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"rw", "nosuid", "nodev", "rprivate", "tmpcopyup"}}},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := mountAt(with(t, func(_ *Input, o *define.CreateOptions) { o.Mounts = []define.Mount{c.mount} }), "/x")
			if !ok {
				t.Fatal("it is not there")
			}
			c.want.Destination = "/x"
			equal(t, "mount", m, c.want)
		})
	}
	t.Run("an overlay takes the place of what is written to", func(t *testing.T) {
		for _, kind := range []string{"bind", "volume"} {
			s := with(t, func(in *Input, o *define.CreateOptions) {
				o.Mounts = []define.Mount{{Type: kind, Source: dir, Dest: "/x/", Options: []string{"O", "noexec"}}}
				if kind == "volume" {
					in.Config.Volumes = []define.NamedVolume{{Name: dir, Dest: "/x", Options: []string{"O"}}}
				}
				in.Overlays = map[string]Overlay{"/x": {Lower: "/a:b", Upper: "/u", Work: "/w"}}
			})
			m, _ := mountAt(s, "/x")
			equal(t, kind, m, specs.Mount{
				Destination: "/x", Type: "overlay", Source: "overlay",
				Options: []string{`lowerdir=/a\:b`, "upperdir=/u", "workdir=/w", "rprivate", "userxattr", "noexec"},
			})
		}
		_, err := tryWith(t, func(in *Input, o *define.CreateOptions) {
			o.Mounts = []define.Mount{{Type: "bind", Source: dir, Dest: "/x", Options: []string{"O"}}}
			in.Overlays = map[string]Overlay{"/x": {Lower: "/a,b"}}
		})
		refused(t, err, `"/a,b"`)
	})
	t.Run("the root is what a mount needs", func(t *testing.T) {
		for option, want := range map[string]string{"rw": "", "rprivate": "", "slave": "rslave", "rslave": "rslave", "shared": "shared", "rshared": "shared"} {
			s := with(t, func(_ *Input, o *define.CreateOptions) {
				o.Mounts = []define.Mount{{Type: "bind", Source: dir, Dest: "/x", Options: []string{option}}}
			})
			equal(t, option, s.Linux.RootfsPropagation, want)
		}
	})
	t.Run("a volume comes from its folder", func(t *testing.T) {
		m, _ := mountAt(with(t, func(in *Input, o *define.CreateOptions) {
			o.Mounts = []define.Mount{{Type: "volume", Source: "v", Dest: "/x"}}
			in.Config.Volumes = []define.NamedVolume{{Name: "v", Dest: "/x", Options: []string{"ro", "nocopy"}}}
			in.Volumes = map[string]string{"v": dir}
		}), "/x")
		equal(t, "mount", m, specs.Mount{Destination: "/x", Type: "bind", Source: dir, Options: []string{"ro", "nosuid", "nodev", "rprivate", "rbind"}})
	})
	for _, c := range []struct {
		mount define.Mount
		want  string
	}{
		{define.Mount{Type: "bind", Source: "/nonexistent/x", Dest: "/x"}, `mount "/nonexistent/x"`},
		{define.Mount{Type: "image", Dest: "/x"}, `mount type "image"`},
	} {
		_, err := tryWith(t, func(_ *Input, o *define.CreateOptions) { o.Mounts = []define.Mount{c.mount} })
		refused(t, err, c.want)
	}
}

func TestOrderOfMounts(t *testing.T) {
	tmpfs := func(dests ...string) (list []define.Mount) {
		for _, d := range dests {
			list = append(list, define.Mount{Type: "tmpfs", Dest: d})
		}
		return list
	}
	t.Run("a deeper one comes after what it lies in", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.Mounts = tmpfs("/a/b/c", "/a", "/a/b", "/dev/shm/x") })
		for i, m := range s.Mounts {
			for _, later := range s.Mounts[i+1:] {
				if strings.HasPrefix(m.Destination, later.Destination+"/") {
					t.Errorf("%s is mounted before %s", m.Destination, later.Destination)
				}
			}
		}
	})
	t.Run("the user's stands in for the system's and ours", func(t *testing.T) {
		s := with(t, func(in *Input, o *define.CreateOptions) {
			in.Files = map[string]string{"/etc/hosts": "/ours", "/etc/hostname": "/ours2"}
			o.Mounts = tmpfs("/dev/shm", "/etc/hosts")
		})
		for dest, want := range map[string]string{"/dev/shm": "tmpfs", "/etc/hosts": "tmpfs", "/etc/hostname": "/ours2"} {
			m, _ := mountAt(s, dest)
			equal(t, dest, m.Source, want)
		}
		seen := map[string]bool{}
		for _, m := range s.Mounts {
			if seen[m.Destination] {
				t.Errorf("%s is mounted twice", m.Destination)
			}
			seen[m.Destination] = true
		}
	})
	t.Run("a read-only container has folders to write in", func(t *testing.T) {
		for _, on := range []bool{true, false} {
			s := with(t, func(_ *Input, o *define.CreateOptions) { o.ReadOnly, o.ReadOnlyTmpfs = true, on })
			if !s.Root.Readonly {
				t.Error("the root is not read-only")
			}
			for _, dest := range []string{"/run", "/tmp", "/var/tmp"} {
				if m, ok := mountAt(s, dest); ok != on || on && m.Type != "tmpfs" {
					t.Errorf("%s with --read-only-tmpfs=%v: %+v", dest, on, m)
				}
			}
		}
	})
}

func FuzzOrdered(f *testing.F) {
	f.Add("/a\n/a/b\n/a/\n/")
	f.Add("/a/../b\nx\n\n//")
	f.Fuzz(func(t *testing.T, text string) {
		var list []specs.Mount
		for dest := range strings.SplitSeq(text, "\n") {
			list = append(list, specs.Mount{Destination: dest})
		}
		out, err := ordered(list)
		if err != nil {
			return
		}
		for i, m := range out {
			if path.Clean(m.Destination) != m.Destination || !path.IsAbs(m.Destination) {
				t.Errorf("destination %q", m.Destination)
			}
			for _, later := range out[i+1:] {
				if later.Destination == m.Destination || strings.HasPrefix(m.Destination, strings.TrimSuffix(later.Destination, "/")+"/") {
					t.Errorf("%q comes before %q", m.Destination, later.Destination)
				}
			}
		}
	})
}
