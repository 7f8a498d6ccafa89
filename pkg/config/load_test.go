package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
)

// env is an environment of these names and values.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// write makes files below a new folder.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func tz(zone string) string { return "[containers]\ntz = \"" + zone + "\"\n" }

func TestOrder(t *testing.T) {
	all := map[string]string{
		"usr/share/containers/containers.conf":             tz("vendor"),
		"etc/containers/containers.conf":                   tz("admin"),
		"etc/containers/containers.conf.d/10-a.conf":       tz("admin10"),
		"etc/containers/containers.conf.d/20-b.conf":       tz("admin20"),
		"etc/containers/containers.conf.d/30.txt":          tz("no"),
		"home/.config/containers/containers.conf":          tz("user"),
		"home/.config/containers/containers.conf.d/1.conf": tz("user1"),
		"xdg/containers/containers.conf":                   tz("xdg"),
		"etc/containers/containers.conf.modules/m":         tz("module"),
		"only": tz("only"),
		"over": tz("over"),
	}
	dir := write(t, all)
	for name, c := range map[string]struct {
		o    Options
		env  []string
		want string
	}{
		"user":     {Options{}, []string{"HOME", dir + "/home"}, "user1"},
		"root":     {Options{Root: true}, []string{"HOME", dir + "/home"}, "admin20"},
		"no home":  {Options{}, nil, "admin20"},
		"xdg":      {Options{}, []string{"HOME", dir + "/home", "XDG_CONFIG_HOME", dir + "/xdg"}, "xdg"},
		"only":     {Options{}, []string{"HOME", dir + "/home", "CONTAINERS_CONF", dir + "/only"}, "only"},
		"module":   {Options{Modules: []string{"m"}}, []string{"HOME", dir + "/home", "CONTAINERS_CONF", dir + "/only"}, "module"},
		"path":     {Options{Modules: []string{"m", dir + "/only"}}, nil, "only"},
		"override": {Options{Modules: []string{"m"}}, []string{"CONTAINERS_CONF_OVERRIDE", dir + "/over"}, "over"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Prefix, c.o.Getenv = dir, env(c.env...)
			cfg, warnings, err := Load(c.o)
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if cfg.Containers.TZ != c.want {
				t.Errorf("tz = %q, want %q", cfg.Containers.TZ, c.want)
			}
			if file := cfg.Set("containers.tz"); !strings.HasPrefix(file, dir) {
				t.Errorf("set by %q", file)
			}
		})
	}
}

func TestNoFiles(t *testing.T) {
	c, warnings, err := Load(Options{Prefix: t.TempDir(), Getenv: env()})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	c.set = nil
	if !reflect.DeepEqual(c, Default()) {
		t.Error("with no file there are the defaults")
	}
}

func TestNamedFileMustExist(t *testing.T) {
	for _, name := range []string{"CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"} {
		_, _, err := Load(Options{Prefix: t.TempDir(), Getenv: env(name, "/nosuch.conf")})
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/nosuch.conf") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := Load(Options{Prefix: t.TempDir(), Getenv: env(), Modules: []string{"nosuch"}})
	if !errdefs.IsNotFound(err) || errs.Hint(err) == "" {
		t.Errorf("module: %v", err)
	}
}

func TestAppend(t *testing.T) {
	const def = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=xterm"
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"replace":         {[]string{`["A=1"]`}, "A=1"},
		"append":          {[]string{`["A=1", {append=true}]`}, def + " A=1"},
		"append first":    {[]string{`[{append=true}, "A=1"]`}, def + " A=1"},
		"stays":           {[]string{`["A=1", {append=true}]`, `["B=2"]`}, def + " A=1 B=2"},
		"ends":            {[]string{`["A=1", {append=true}]`, `["B=2", {append=false}]`, `["C=3"]`}, "C=3"},
		"only the option": {[]string{`[{append=true}]`, `["B=2"]`}, def + " B=2"},
		"empty":           {[]string{`[]`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for i, f := range c.files {
				files["etc/containers/containers.conf.d/"+string(rune('a'+i))+".conf"] = "[containers]\nenv = " + f
			}
			cfg, warnings, err := Load(Options{Prefix: write(t, files), Getenv: env()})
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if got := strings.Join(cfg.Containers.Env.Values, " "); got != c.want {
				t.Errorf("env = %q, want %q", got, c.want)
			}
		})
	}
}

func TestMapsGrow(t *testing.T) {
	dir := write(t, map[string]string{"c": "[engine.runtimes]\nmine = [\"/x/mine\"]\nrunc = [\"/y/runc\"]\n" +
		"[engine.service_destinations.a]\nuri = \"unix:///a\"\n[secrets.opts]\nroot = \"/s\"\n"})
	cfg, _, err := Load(Options{Getenv: env("CONTAINERS_CONF", dir+"/c")})
	if err != nil {
		t.Fatal(err)
	}
	r := cfg.Engine.Runtimes
	if r["mine"].Values[0] != "/x/mine" || len(r["runc"].Values) != 1 || len(r["crun"].Values) != 6 {
		t.Errorf("runtimes: %v", r)
	}
	if cfg.Engine.ServiceDestinations["a"].URI != "unix:///a" || cfg.Secrets.Opts["root"] != "/s" {
		t.Error("tables in tables are not read")
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"[containers]\nlog_drivr = \"none\"":      `key "containers.log_drivr" is not known; did you mean "log_driver"?`,
		"[continers]\nlog_driver = \"none\"\nx=1": `key "continers" is not known; did you mean "containers"?`,
		"[engine]\nqqqqqqq = 1":                   `key "engine.qqqqqqq" is not known`,
		"top = 1":                                 `key "top" is not known`,
		"[engine]\nremote = true":                 `key "engine.remote" is not built yet and has no effect`,
		"[engine]\nremote = false":                "",
		"[secrets]\ndriver = \"pass\"":            `key "secrets" is not built yet and has no effect`,
		"[secrets]\n[secrets.opts]":               "",
		"[machine]\ncpus = 4":                     "",
		"[engine.service_destinations.a]\nurl=1":  `key "engine.service_destinations.a.url" is not known; did you mean "uri"?`,
		"[containers]\nenv = [{append=true}]":     "",
	} {
		dir := write(t, map[string]string{"c": text})
		_, warnings, err := Load(Options{Getenv: env("CONTAINERS_CONF", dir+"/c")})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := ""
		for _, w := range warnings {
			if strings.Contains(w.Text, "not built") && strings.Contains(want, "not known") {
				continue // a destination is also not built
			}
			got += strings.TrimPrefix(w.String(), dir+"/c: ")
		}
		if got != want {
			t.Errorf("%q: got  %s\nwant %s", text, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\n[containers\n":                                                         "FILE: line 3",
		"[containers]\n# c\ninit = \"yes\"":                                       `FILE: line 3 (last key "containers.init")`,
		"[engine]\nstop_timeout = -1":                                             `FILE: line 2 (last key "engine.stop_timeout"): -1 is out of range`,
		"[containers]\nenv = 3":                                                   `FILE: line 2 (last key "containers.env"): a list of strings`,
		"[containers]\nenv = [1]":                                                 `and one is the int64 1`,
		"[containers]\nenv = [{apend=true}]":                                      "{append=true}",
		"[containers]\n\nlog_driver = \"k8sfile\"":                                `FILE: key "containers.log_driver" is "k8sfile"; did you mean "k8s-file"?`,
		"[engine]\npull_policy = \"sometimes\"":                                   `is "sometimes"; it is one of always, missing, never, newer`,
		"[containers]\nshm_size = \"64q\"":                                        `"containers.shm_size" is "64q"; a size looks like "64m"`,
		"[network]\ndefault_subnet = \"10.88\"":                                   `"network.default_subnet" is "10.88"; a subnet looks like "10.88.0.0/16"`,
		"[network]\ndefault_subnet_pools = [{base = \"10.0.0.0/16\", size = 8}]":  `"network.default_subnet_pools" is "10.0.0.0/16, size 8"; a pool looks like`,
		"[network]\ndefault_subnet_pools = [{base = \"10.0.0.0/16\", size = 33}]": `size 33`,
		"[network]\ndefault_subnet_pools = [{base = \"fd00::/16\", size = 64}]":   `IPv4 alone`,
		"[containers]\numask = \"99\"":                                            `"containers.umask" is "99"`,
		"[engine]\nevents_logfile_max_size = \"-1\"":                              "a size looks like",
		"[containers]\ninit = true\ninit = false":                                 "FILE: line 3",
	} {
		dir := write(t, map[string]string{"c": text})
		_, _, err := Load(Options{Getenv: env("CONTAINERS_CONF", dir+"/c")})
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		got := strings.ReplaceAll(err.Error(), dir+"/c", "FILE")
		if h := errs.Hint(err); h != "" {
			got += "; " + h
		}
		if !strings.Contains(got, want) || !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: got  %s\nwant %s", text, got, want)
		}
	}
}

func TestModesWithMore(t *testing.T) {
	dir := write(t, map[string]string{"c": "[containers]\nnetns = \"slirp4netns:mtu=1500\"\nuserns = \"keep-id:uid=1\"\nshm_size = \"1g\"\nlog_driver = \"\""})
	c, _, err := Load(Options{Getenv: env("CONTAINERS_CONF", dir+"/c")})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Containers.ShmBytes(); got != 1<<30 {
		t.Errorf("shm_size is %d bytes", got)
	}
}

func TestCommentsAreSkippedButNotInStrings(t *testing.T) {
	got := withoutComments("a = 1 # x\n  # b\n#c\nd = 2\n")
	if got != "a = 1 # x\n\n\nd = 2\n" {
		t.Errorf("%q", got)
	}
	const text = "a = \"\"\"\n# part of it\n\"\"\"\n"
	if got := withoutComments(text); got != text {
		t.Errorf("%q", got)
	}
}

func BenchmarkLoad(b *testing.B) {
	vendor, err := os.ReadFile("/usr/share/containers/containers.conf")
	if err != nil {
		vendor, _ = os.ReadFile(document)
	}
	dir := write(b, map[string]string{
		"usr/share/containers/containers.conf":    string(vendor),
		"home/.config/containers/containers.conf": "[containers]\nenv = [\"A=1\", {append=true}]\n[engine]\nruntime = \"runc\"\n",
	})
	for b.Loop() {
		if _, _, err := Load(Options{Prefix: dir, Getenv: env("HOME", dir+"/home")}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	doc, _ := os.ReadFile(document)
	f.Add(string(doc))
	f.Add("[containers]\nenv = [\"A=1\", {append=true}]\n")
	f.Add("[engine.runtimes]\nx = [\"/y\"]\n[engine.service_destinations.a]\nuri = 1")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "c")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, _ = Load(Options{Getenv: env("CONTAINERS_CONF", path)})
	})
}
