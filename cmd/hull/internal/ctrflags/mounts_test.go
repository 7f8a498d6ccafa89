package ctrflags

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/config"
)

func TestVolume(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]define.Mount{
		"/inside":                        {Type: "volume", Dest: "/inside"},
		"name:/inside":                   {Type: "volume", Source: "name", Dest: "/inside"},
		"name:/inside:ro":                {Type: "volume", Source: "name", Dest: "/inside", Options: []string{"ro"}},
		"/a:/b":                          {Type: "bind", Source: "/a", Dest: "/b"},
		"/a/../b/:/c":                    {Type: "bind", Source: "/b", Dest: "/c"},
		".:/b":                           {Type: "bind", Source: here, Dest: "/b"},
		"./sub:/b":                       {Type: "bind", Source: filepath.Join(here, "sub"), Dest: "/b"},
		"..:/b":                          {Type: "bind", Source: filepath.Dir(here), Dest: "/b"},
		"/a:/b:ro,z,rslave":              {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"ro", "z", "rslave"}},
		"/a:/b:O,upperdir=/u,workdir=/w": {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"O", "upperdir=/u", "workdir=/w"}},
		"name:/b:U":                      {Type: "volume", Source: "name", Dest: "/b", Options: []string{"U"}},
		"/a:/b:O,U":                      {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"O", "U"}},
		"/a:/b:idmap":                    {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"idmap"}},
		"/a:/b:idmap=uids=0-1-10#20-30-1;gids=@0-1-10": {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"idmap=uids=0-1-10#20-30-1;gids=@0-1-10"}},
		"/a b:/c d":            {Type: "bind", Source: "/a b", Dest: "/c d"},
		"/a:/b:noexec,nodev,Z": {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"noexec", "nodev", "Z"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := Volume(text)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "mount", got, want)
		})
	}
}

func TestMount(t *testing.T) {
	for text, want := range map[string]define.Mount{
		"type=bind,src=/a,dst=/b":                             {Type: "bind", Source: "/a", Dest: "/b"},
		"type=bind,source=/a,target=/b,ro":                    {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"ro"}},
		"type=bind,source=/a,destination=/b,readonly=false":   {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"rw"}},
		"type=bind,source=/a,dest=/b,rw=false":                {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"ro"}},
		"type=bind,src=/a,dst=/b,ro=true":                     {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"ro"}},
		"type=bind,src=/a,dst=/b,rw":                          {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"rw"}},
		"type=bind,src=/a,dst=/b,bind-propagation=rshared":    {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"rshared"}},
		"type=bind,src=/a,dst=/b,bind-nonrecursive":           {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"bind"}},
		"type=bind,src=/a,dst=/b,relabel=private":             {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"Z"}},
		"type=bind,src=/a,dst=/b,Z,rslave":                    {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"Z", "rslave"}},
		"type=bind,src=/a,dst=/b,relabel=shared":              {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"z"}},
		"type=bind,src=/a,dst=/b,consistency=cached":          {Type: "bind", Source: "/a", Dest: "/b"},
		"type=bind,src=/a,dst=/b,U=true,chown=false":          {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"U"}},
		"type=bind,src=/a,dst=/b,idmap":                       {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"idmap"}},
		"type=bind,src=/a,dst=/b,idmap=false":                 {Type: "bind", Source: "/a", Dest: "/b"},
		"type=tmpfs,dst=/b,chown":                             {Type: "tmpfs", Dest: "/b", Options: []string{"U"}},
		"type=tmpfs,dst=/b":                                   {Type: "tmpfs", Dest: "/b"},
		"type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=700":      {Type: "tmpfs", Dest: "/b", Options: []string{"size=1m", "mode=700"}},
		"type=tmpfs,dst=/b,notmpcopyup":                       {Type: "tmpfs", Dest: "/b", Options: []string{"notmpcopyup"}},
		"type=volume,src=name,dst=/b,nocopy":                  {Type: "volume", Source: "name", Dest: "/b", Options: []string{"nocopy"}},
		"dst=/b":                                              {Type: "volume", Dest: "/b"},
		"type=devpts,dst=/b":                                  {Type: "devpts", Dest: "/b"},
		"destination=/b,type=bind,source=/a=b":                {Type: "bind", Source: "/a=b", Dest: "/b"},
		"type=bind,src=/a,dst=/first,dst=/last":               {Type: "bind", Source: "/a", Dest: "/last"},
		"type=bind,src=/a,dst=/b,noexec,nosuid,nodev,ro=true": {Type: "bind", Source: "/a", Dest: "/b", Options: []string{"noexec", "nosuid", "nodev", "ro"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := Mount(text)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "mount", got, want)
		})
	}
}

func TestTmpfs(t *testing.T) {
	for text, want := range map[string]define.Mount{
		"/x":                   {Type: "tmpfs", Dest: "/x"},
		"/x:size=1m,mode=1777": {Type: "tmpfs", Dest: "/x", Options: []string{"size=1m", "mode=1777"}},
		"/x:ro,noexec":         {Type: "tmpfs", Dest: "/x", Options: []string{"ro", "noexec"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := Tmpfs(text)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "mount", got, want)
		})
	}
}

func TestWrongMountIsRefused(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"-v", "", `"" is not an absolute path`},
		{"-v", ":/x", "the source before the colon is empty"},
		{"-v", "a:b", `"b" is not an absolute path`},
		{"-v", "/a:/b:", `there is no option ""`},
		{"-v", "/a:/b:ro:z", "[SOURCE:]CONTAINER[:OPTIONS]"},
		{"-v", "/a:/b:rsharde", `there is no option "rsharde"; did you mean "rshared"?`},
		{"-v", "/a:/b:ro,", `there is no option ""`},
		{"-v", "/a:/b:ro,rw", `"ro" and "rw"`},
		{"-v", "/a:/b:z,Z", `"z" and "Z"`},
		{"-v", "/a:/b:rshared,private", `"rshared" and "private"`},
		{"-v", "/a:/b:O,idmap", "O and idmap do not go together"},
		{"-v", "/a:/b:upperdir=/u", "go with each other and with O"},
		{"-v", "/a:/b:O,upperdir=/u", "go with each other and with O"},
		{"-v", "/a:/b:O,upperdir=/u,upperdir=/v,workdir=/w", "go with each other and with O"},
		{"-v", "/a:/b:O,upperdir=u,workdir=/w", `there is no option "upperdir=u"`},
		{"-v", "/a:/b:idmap=uids=0-1", "idmap=uids=0-1 is not idmap=uids=FROM-TO-SIZE"},
		{"-v", "/a:/b:idmap=uids=0-1-10;gids=0-1-10,rw,evil", `there is no option "evil"`},
		{"--mount", "type=bind,src=/a,dst=/b,U=maybe", "U is true or false"},
		{"--mount", "", `there is no option ""`},
		{"--mount", "type=bind,src=/a", "destination is missing"},
		{"--mount", "type=tmpfs,src=/a,dst=/b", "src is not supported with type=tmpfs"},
		{"--mount", "source=/a,dst=/b,type=tmpfs", "source is not supported with type=tmpfs"},
		{"--mount", "type=bind,src=/a,dst=/b,tmpfs-size=1m", "tmpfs-size is not supported with type=bind"},
		{"--mount", "type=bind,src=/a,dst=/b,notmpcopyup", "notmpcopyup is not supported with type=bind"},
		{"--mount", "type=volume,dst=/b,tmpfs-mode=700", "tmpfs-mode is not supported with type=volume"},
		{"--mount", "type=volume,dst=/b,rslave", "rslave is not supported with type=volume"},
		{"--mount", "type=tmpfs,dst=/b,bind-propagation=shared", "bind-propagation is not supported with type=tmpfs"},
		{"--mount", "type=tmpfs,dst=/b,nocopy", "nocopy is not supported with type=tmpfs"},
		{"--mount", "type=devpts,dst=/b,ro", "ro is not supported with type=devpts"},
		{"--mount", "type=bind,dst=/b", "needs source="},
		{"--mount", "type=bind,src=/a,dst=b", `"b" is not an absolute path`},
		{"--mount", "type=bind,src=/a,dst=", `"" is not an absolute path`},
		{"--mount", "type=bnid,src=/a,dst=/b", `type=bnid; did you mean "bind"?`},
		{"--mount", "type=bind,src=/a,dst=/b,readnly", `there is no option "readnly"; did you mean "readonly"?`},
		{"--mount", "type=bind,src=/a,dst=/b,ro=maybe", `true or false, not "maybe"`},
		{"--mount", "type=bind,src=/a,dst=/b,ro=", `true or false, not ""`},
		{"--mount", "type=bind,src=/a,dst=/b,relabel=bogus", `relabel is shared or private, not "bogus"`},
		{"--mount", "type=bind,src=/a,dst=/b,bind-propagation=remount", `there is no propagation "remount"`},
		{"--mount", "type=bind,src=/a,dst=/b,ro,rw", `"ro" and "rw"`},
		{"--mount", "type=glob,src=/a,dst=/b", "type=glob is not built yet"},
		{"--mount", "type=bind,src=/a,dst=/b,idmap=maybe", "idmap=maybe is not idmap=uids=FROM-TO-SIZE"},
		{"--mount", "type=tmpfs,dst=/b,idmap", "idmap is not supported with type=tmpfs"},
		{"--tmpfs", "", `"" is not an absolute path`},
		{"--tmpfs", "x", `"x" is not an absolute path`},
		{"--tmpfs", "/x:", `there is no option ""`},
		{"--tmpfs", "/x:bogus", `there is no option "bogus"`},
		{"--tmpfs", "/x:ro,", `there is no option ""`},
		{"--shm-size", "bogus", `--shm-size "bogus"`},
		{"--shm-size", "-1", `--shm-size "-1"`},
	} {
		t.Run(c.flag+" "+c.value, func(t *testing.T) { refused(t, c.want, c.flag, c.value) })
	}
}

func TestShmSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "2b": 2, "3k": 3 << 10, "4m": 4 << 20, "1.5g": 3 << 29, "65536K": 64 << 20} {
		t.Run(text, func(t *testing.T) { equal(t, "bytes", must(t, "--shm-size", text).ShmSize, want) })
	}
	t.Run("the configuration's holds where no flag is given", func(t *testing.T) {
		c := config.Default()
		c.Containers.ShmSize = "1m"
		o, err := parseWith(t, c)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "bytes", o.ShmSize, int64(1<<20))
		if o, err = parseWith(t, c, "--shm-size=65536k"); err != nil {
			t.Fatal(err)
		}
		equal(t, "bytes", o.ShmSize, int64(64<<20))
	})
}

func TestMountsOfTheConfigurationComeFirst(t *testing.T) {
	c := config.Default()
	c.Containers.Volumes.Values = []string{"/a:/conf"}
	c.Containers.Devices.Values = []string{"/dev/conf"}
	c.Containers.ReadOnly = true
	o, err := parseWith(t, c, "-v", "/a:/flag", "--mount", "type=tmpfs,dst=/mount", "--tmpfs", "/tmpfs", "--device", "/dev/flag")
	if err != nil {
		t.Fatal(err)
	}
	var dests []string
	for _, m := range o.Mounts {
		dests = append(dests, m.Dest)
	}
	equal(t, "mounts", dests, []string{"/conf", "/flag", "/mount", "/tmpfs"})
	equal(t, "devices", o.Devices, []string{"/dev/conf", "/dev/flag"})
	equal(t, "read-only", o.ReadOnly, true)
}

// checkMount says what holds of each mount that a parser gives.
func checkMount(t *testing.T, m define.Mount) {
	t.Helper()
	if !filepath.IsAbs(m.Dest) {
		t.Errorf("destination %q is not absolute", m.Dest)
	}
	if m.Type == "bind" && !filepath.IsAbs(m.Source) {
		t.Errorf("source %q is not absolute", m.Source)
	}
	if m.Type != "bind" && strings.HasPrefix(m.Source, "/") && m.Type == "volume" && !strings.Contains(m.Source, "/") {
		t.Errorf("a volume is called %q", m.Source)
	}
	if slices.Contains(m.Options, "") {
		t.Errorf("an option is empty: %q", m.Options)
	}
}

func checkLine(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("an error of several lines: %q", err)
	}
}

func FuzzVolume(f *testing.F) {
	for _, seed := range []string{"/x", "a:/b", "/a:/b:ro,z", ".:/x", ":", "::", "/a:/b:", "a:/b:ro,,rw", "\n:/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Volume(text)
		if err != nil {
			checkLine(t, err)
			return
		}
		checkMount(t, m)
	})
}

func FuzzMount(f *testing.F) {
	for _, seed := range []string{"type=bind,src=/a,dst=/b", "dst=/b,ro=false", "type=tmpfs,dst=/x,tmpfs-size=1m", ",", "=", "relabel=", "type=bind,source=.,target=/a,bind-propagation="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Mount(text)
		if err != nil {
			checkLine(t, err)
			return
		}
		checkMount(t, m)
	})
}

func FuzzTmpfs(f *testing.F) {
	for _, seed := range []string{"/x", "/x:", "/x:size=1m,mode=700", ":", "/x:ro,,rw"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Tmpfs(text)
		if err != nil {
			checkLine(t, err)
			return
		}
		checkMount(t, m)
	})
}

func FuzzShmSize(f *testing.F) {
	for _, seed := range []string{"0", "64m", "-1", "1e9", "9999999999g", "NaN", "1.5k", " 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parse(t, "--shm-size="+text)
		if err != nil {
			checkLine(t, err)
			return
		}
		if o.ShmSize < 0 {
			t.Errorf("%q is %d bytes", text, o.ShmSize)
		}
	})
}
