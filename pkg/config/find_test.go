package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
)

// programs makes executable files below a new folder.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindRuntime(t *testing.T) {
	dir := programs(t, "bin/mine", "bin/runc", "path/inpath")
	if err := os.WriteFile(dir+"/bin/plain", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "relative:"+dir+"/path")
	c := Default()
	c.Engine.Runtimes = map[string]List{
		"mine": of("/nosuch", dir+"/bin/mine"), "crun": of(dir + "/bin/plain"), "runc": of(dir + "/bin/runc"),
	}
	for _, test := range []struct{ name, key, want string }{
		{"", "", dir + "/bin/runc"},
		{"", "mine", dir + "/bin/mine"},
		{"mine", "runc", dir + "/bin/mine"},
		{dir + "/bin/mine", "", dir + "/bin/mine"},
		{"inpath", "", dir + "/path/inpath"},
	} {
		c.Engine.Runtime = test.key
		got, err := c.FindRuntime(test.name)
		if err != nil || got != test.want {
			t.Errorf("FindRuntime(%q), key %q: %q, %v", test.name, test.key, got, err)
		}
	}
	_, err := c.FindRuntime("mien")
	if !errdefs.IsNotFound(err) || errs.Hint(err) == "" {
		t.Errorf("mien: %v", err)
	}
	if _, err := c.FindRuntime(dir + "/bin/plain"); !errdefs.IsNotFound(err) {
		t.Errorf("a file that is not executable: %v", err)
	}
	c.Engine.Runtime, c.Engine.Runtimes = "", nil
	if _, err := c.FindRuntime(""); !errdefs.IsNotFound(err) {
		t.Errorf("none installed: %v", err)
	}
}

func TestFindHelper(t *testing.T) {
	dir := programs(t, "bin/a", "libexec/hull/b", "helpers/c", "bin/more/d", "path/e", "helpers/a")
	t.Setenv("PATH", dir+"/path")
	c := Default()
	c.Engine.HelperBinariesDir = of(dir+"/helpers", "$BINDIR/more")
	for name, want := range map[string]string{
		"a": "bin/a", "b": "libexec/hull/b", "c": "helpers/c", "d": "bin/more/d", "e": "path/e",
	} {
		got, err := c.findHelper(dir+"/bin", name)
		if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := c.findHelper(dir, "nosuch"); !errdefs.IsNotFound(err) {
		t.Errorf("nosuch: %v", err)
	}
}

func TestFindMonitorLeavesPodmansAlone(t *testing.T) {
	dir := programs(t, "conmon", "sub/hull-conmon")
	c := Default()
	c.Engine.ConmonPath = of(dir+"/conmon", dir+"/sub/hull-conmon")
	if got, err := c.FindMonitor(); err != nil || got != dir+"/sub/hull-conmon" {
		t.Errorf("%q, %v", got, err)
	}
}
