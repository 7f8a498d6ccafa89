package system

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestPackagesOf(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"info/crun.list":        "/.\n/usr\n/usr/bin\n/usr/bin/crun\n",
		"info/passt.list":       "/usr/bin/passt\n/usr/bin/pasta\n",
		"info/tool:arm64.list":  "/bin/tool\n",
		"info/unfinished.list":  "/usr/bin/unfinished\n",
		"info/crun.md5sums":     "/usr/bin/other\n",
		"info/local.list":       "/usr/local/bin/mine\n",
		"info/a-doc.list":       "/usr/share/doc/crun\n",
		"info/slirp4netns.list": "",
		"status": "Package: crun\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.8.1-1+deb12u1\nDescription: a\n Version: no\n\n" +
			"Package: passt\nVersion: 0.0\nArchitecture: amd64\n\nPackage: unfinished\nArchitecture: all\n\n" +
			"Package: tool\nArchitecture: amd64\nVersion: 1\n\nPackage: tool\nArchitecture: arm64\nVersion: 2\n\n" +
			"Package: local\nArchitecture: amd64\nVersion: 1\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := packagesOf(dir, []string{
		"/usr/bin/crun", "/usr/bin/pasta", "/usr/bin/tool", "/usr/bin/unfinished", "/usr/bin/other", "/usr/local/bin/mine", "/home/me/crun", "crun",
	})
	want := map[string]string{
		"/usr/bin/crun": "crun_1.8.1-1+deb12u1_amd64", "/usr/bin/pasta": "passt_0.0_amd64", "/usr/bin/tool": "tool_2_arm64",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := packagesOf(filepath.Join(dir, "nosuch"), []string{"/usr/bin/crun"}); len(got) != 0 {
		t.Errorf("without dpkg: %q", got)
	}
}
