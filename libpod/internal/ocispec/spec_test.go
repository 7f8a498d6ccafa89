package ocispec

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
)

// image makes a root file system with these files; a text that begins with -> is a link.
func image(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "->"); link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// plain is the input for a container that nobody asked anything of, rootless.
func plain(t *testing.T) Input {
	t.Helper()
	c := config.Default().Containers
	return Input{
		Config: &define.ContainerConfig{
			ContainerBrief: define.ContainerBrief{ID: "0123456789ab", Name: "web", Command: []string{"sleep", "9"}, Network: "none"},
			Hostname:       "box", Workdir: "/", StopSignal: 15, Env: []string{"PATH=/bin"},
		},
		Rootfs: image(t, map[string]string{
			"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:web:/srv:/bin/sh\n",
			"etc/group":  "root:x:0:\nweb:x:44:\nextra:x:55:web\nother:x:66:\n",
			"srv/file":   "",
		}),
		Dir: t.TempDir(), MaxID: 65535, Rootless: true,
		Capabilities: c.DefaultCapabilities.Values, Sysctls: c.DefaultSysctls.Values, PidsLimit: c.PidsLimit,
	}
}

// with makes a spec of plain, changed.
func with(t *testing.T, change func(*Input, *define.CreateOptions)) *specs.Spec {
	t.Helper()
	s, err := tryWith(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryWith(t *testing.T, change func(*Input, *define.CreateOptions)) (*specs.Spec, error) {
	t.Helper()
	in := plain(t)
	if change != nil {
		change(&in, &in.Config.Options)
	}
	s, err := Make(in)
	if err != nil {
		return nil, err
	}
	from, err := Filter(&in)
	if err != nil {
		return nil, err
	}
	return s, SetFilter(s, from)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %#v, want %#v", what, got, want)
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("it is taken; want an error with %q", want)
	case strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want one line with %q", err, want)
	}
}

func TestPlainSpec(t *testing.T) {
	s := with(t, nil)
	equal(t, "version", s.Version, "1.0.2")
	equal(t, "arguments", s.Process.Args, []string{"sleep", "9"})
	equal(t, "hostname", s.Hostname, "box")
	equal(t, "folder", s.Process.Cwd, "/")
	equal(t, "environment", s.Process.Env, []string{"PATH=/bin", "HOME=/root", "HOSTNAME=box"})
	equal(t, "annotations", s.Annotations, map[string]string{ // podman 4.3.1's, without those of CRI-O
		"io.container.manager": "libpod", "io.podman.annotations.autoremove": "FALSE", "io.podman.annotations.init": "FALSE",
		"io.podman.annotations.privileged": "FALSE", "io.podman.annotations.publish-all": "FALSE", "org.opencontainers.image.stopSignal": "15",
	})
	if s.Root.Readonly || s.Process.Terminal || s.Process.NoNewPrivileges {
		t.Errorf("read-only %v, terminal %v, no new privileges %v", s.Root.Readonly, s.Process.Terminal, s.Process.NoNewPrivileges)
	}
}

func TestAnnotationsOfTheUserWin(t *testing.T) {
	s := with(t, func(in *Input, o *define.CreateOptions) {
		o.Annotations = map[string]string{"a": "b", "io.container.manager": "mine"}
		o.Remove, o.Privileged, o.Init, o.PublishAll = true, true, true, true
		in.Config.StopSignal = 9
	})
	for key, want := range map[string]string{
		"a": "b", "io.container.manager": "mine", "io.podman.annotations.autoremove": "TRUE", "io.podman.annotations.privileged": "TRUE",
		"io.podman.annotations.init": "TRUE", "io.podman.annotations.publish-all": "TRUE", "org.opencontainers.image.stopSignal": "9",
	} {
		equal(t, key, s.Annotations[key], want)
	}
}

func TestNamespacesPerMode(t *testing.T) {
	all := []string{"cgroup", "ipc", "mount", "network", "pid", "uts"} // podman 4.3.1's for a user
	without := func(kind string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(k string) bool { return k == kind })
	}
	for name, c := range map[string]struct {
		change func(*Input, *define.CreateOptions)
		want   []string
	}{
		"of its own by default": {nil, all},
		"--pid=host":            {func(_ *Input, o *define.CreateOptions) { o.PID = "host" }, without("pid")},
		"--ipc=host":            {func(_ *Input, o *define.CreateOptions) { o.IPC = "host" }, without("ipc")},
		"--uts=host":            {func(_ *Input, o *define.CreateOptions) { o.UTS = "host" }, without("uts")},
		"--cgroupns=host":       {func(_ *Input, o *define.CreateOptions) { o.CgroupNS = "host" }, without("cgroup")},
		"--network=host":        {func(in *Input, _ *define.CreateOptions) { in.Config.Network = "host" }, without("network")},
		"one with an id map has a user namespace": {func(in *Input, _ *define.CreateOptions) {
			in.Config.IDMap = &define.IDMap{UIDs: []define.IDRange{{ContainerID: 0, HostID: 1, Size: 9}}, GIDs: []define.IDRange{{ContainerID: 0, HostID: 2, Size: 8}}}
		}, slices.Insert(slices.Clone(all), 5, "user")},
	} {
		t.Run(name, func(t *testing.T) {
			s := with(t, c.change)
			var got []string
			for _, n := range s.Linux.Namespaces {
				got = append(got, string(n.Type))
				equal(t, "path of "+string(n.Type), n.Path, "")
			}
			slices.Sort(got)
			equal(t, "namespaces", got, c.want)
			if slices.Contains(c.want, "user") {
				equal(t, "uid map", s.Linux.UIDMappings, []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1, Size: 9}})
				equal(t, "gid map", s.Linux.GIDMappings, []specs.LinuxIDMapping{{ContainerID: 0, HostID: 2, Size: 8}})
			}
		})
	}
	t.Run("a joined one has its path", func(t *testing.T) {
		s := with(t, func(in *Input, o *define.CreateOptions) {
			o.PID, o.UserNS = "container:x", "container:x"
			in.Config.Network = "slirp4netns"
			in.NetNS = "/run/netns"
			in.Joined = map[string]string{"pid": "/proc/7/ns/pid", "user": "/proc/7/ns/user"}
			in.Config.IDMap = &define.IDMap{UIDs: []define.IDRange{{Size: 1}}, GIDs: []define.IDRange{{Size: 1}}}
		})
		paths := map[string]string{}
		for _, n := range s.Linux.Namespaces {
			paths[string(n.Type)] = n.Path
		}
		equal(t, "paths", paths, map[string]string{
			"pid": "/proc/7/ns/pid", "user": "/proc/7/ns/user", "network": "/run/netns", "ipc": "", "uts": "", "mount": "", "cgroup": "",
		})
		equal(t, "maps of a joined user namespace, which runc wants to see", len(s.Linux.UIDMappings), 1)
	})
	t.Run("the host's name stays with --uts=host", func(t *testing.T) {
		equal(t, "hostname", with(t, func(_ *Input, o *define.CreateOptions) { o.UTS = "host" }).Hostname, "")
	})
}

func TestSysctls(t *testing.T) {
	const ping = "net.ipv4.ping_group_range"
	t.Run("the configuration's holds in a network namespace of its own", func(t *testing.T) {
		equal(t, "sysctls", with(t, nil).Linux.Sysctl, map[string]string{ping: "0 0"})
	})
	for name, change := range map[string]func(*Input, *define.CreateOptions){
		"not in the host's":     func(in *Input, _ *define.CreateOptions) { in.Config.Network = "host" },
		"not with --privileged": func(_ *Input, o *define.CreateOptions) { o.Privileged = true },
	} {
		t.Run("the configuration's does "+name, func(t *testing.T) {
			equal(t, "sysctls", with(t, change).Linux.Sysctl, map[string]string{})
		})
	}
	t.Run("the user's wins", func(t *testing.T) {
		s := with(t, func(_ *Input, o *define.CreateOptions) { o.Sysctl = map[string]string{ping: "1 1", "kernel.sem": "2"} })
		equal(t, "sysctls", s.Linux.Sysctl, map[string]string{ping: "1 1", "kernel.sem": "2"})
	})
	for _, c := range []struct {
		key, want string
		change    func(*Input, *define.CreateOptions)
	}{
		{"vm.swappiness", `"vm.swappiness" is not of a namespace`, func(*Input, *define.CreateOptions) {}},
		{"kernel.semaphore", `"kernel.semaphore" is not of a namespace`, func(*Input, *define.CreateOptions) {}},
		{"net.x", `"net.x" needs a network namespace`, func(in *Input, _ *define.CreateOptions) { in.Config.Network = "host" }},
		{"kernel.msgmax", `"kernel.msgmax" needs a ipc namespace`, func(_ *Input, o *define.CreateOptions) { o.IPC = "host" }},
		{"fs.mqueue.msg_max", `"fs.mqueue.msg_max" needs a ipc namespace`, func(_ *Input, o *define.CreateOptions) { o.IPC = "host" }},
	} {
		t.Run("refused: "+c.key, func(t *testing.T) {
			in := &Input{Config: &define.ContainerConfig{}}
			o := &in.Config.Options
			o.Sysctl = map[string]string{c.key: "1"}
			c.change(in, o)
			refused(t, CheckSysctls(in.Config), c.want)
		})
	}
}

func TestWorkdir(t *testing.T) {
	for name, c := range map[string]struct {
		dir string
		ok  bool
	}{
		"a folder of the image":          {"/srv", true},
		"a folder in the image's folder": {"/etc/../srv", true},
		"below a mount":                  {"/dev/shm/deep", true},
		"a mount":                        {"/proc", true},
		"beside a mount":                 {"/procx", false},
		"a file":                         {"/srv/file", false},
		"not there":                      {"/nosuch", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := tryWith(t, func(in *Input, o *define.CreateOptions) { o.Workdir, in.Config.Workdir = c.dir, c.dir })
			if c.ok {
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "folder", s.Process.Cwd, c.dir)
				return
			}
			refused(t, err, `"`+c.dir+`" is not in the container`)
			equal(t, "exit code", errs.Exit(err), 126)
		})
	}
	t.Run("one that the image asks for need not be there", func(t *testing.T) {
		equal(t, "folder", with(t, func(in *Input, _ *define.CreateOptions) { in.Config.Workdir = "/new" }).Process.Cwd, "/new")
	})
}

func TestCgroup(t *testing.T) {
	root := func(change func(*define.CreateOptions)) *specs.Spec {
		return with(t, func(in *Input, o *define.CreateOptions) {
			in.Rootless = false
			change(o)
		})
	}
	s := root(func(*define.CreateOptions) {})
	equal(t, "path", s.Linux.CgroupsPath, "/hull/hull-0123456789ab")
	equal(t, "pids", *s.Linux.Resources.Pids.Limit, int64(2048))
	s = root(func(o *define.CreateOptions) { o.CgroupParent = "/mine/" })
	equal(t, "path below a parent", s.Linux.CgroupsPath, "/mine/hull-0123456789ab")
	s = root(func(o *define.CreateOptions) { o.Cgroups = "disabled" })
	equal(t, "path when disabled", s.Linux.CgroupsPath, "")
}
