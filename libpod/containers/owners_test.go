package containers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
)

func ownerIn(t *testing.T, path string) owner {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fileOwner(st)
}

// What a container put into its folder does not lead the next start out of it.
func TestGiveTreeStaysInside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	outside, dir := t.TempDir(), t.TempDir()
	for _, path := range []string{outside + "/secret", dir + "/file"} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"a/link": outside, "a/b/secret": outside + "/secret"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	to := owner{7, 8}
	if err := giveTree(dir, to); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "file", "a", "a/b", "a/link", "a/b/secret"} {
		if got := ownerIn(t, filepath.Join(dir, name)); got != to {
			t.Errorf("%s is of %v", name, got)
		}
	}
	for _, path := range []string{outside, outside + "/secret"} {
		if got := ownerIn(t, path); got != (owner{0, 0}) {
			t.Errorf("%s, outside, is of %v", path, got)
		}
	}
	if err := giveTree(outside+"/secret", to); err != nil || ownerIn(t, outside+"/secret") != to {
		t.Errorf("a file alone: %v", err)
	}
}

func TestCheckGiven(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/usr", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	for path, ok := range map[string]bool{
		"/": false, "/usr": false, "/usr/share": false, "/etc": false, "/var": false, "/var/lib": false, dir: false, dir + "/link": false,
		filepath.Dir(dir): true,
	} {
		if err := checkGiven(path); (err == nil) != ok || err != nil && !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOwnerOf(t *testing.T) {
	root := t.TempDir()
	ranges := []define.IDRange{{ContainerID: 0, HostID: 1, Size: 7}, {ContainerID: 7, HostID: 0, Size: 1}}
	for _, c := range []struct {
		user string
		maps *define.IDMap
		want owner
		ok   bool
	}{
		{"", nil, owner{0, 0}, true},
		{"5:6", nil, owner{5, 6}, true},
		{"5:7", &define.IDMap{UIDs: ranges, GIDs: ranges}, owner{6, 0}, true},
		{"8:7", &define.IDMap{UIDs: ranges, GIDs: ranges}, owner{-1, 0}, false},
	} {
		got, err := ownerOf(&define.ContainerConfig{User: c.user, IDMap: c.maps}, root)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", c.user, got, err)
		}
	}
	if _, err := ownerOf(&define.ContainerConfig{User: "nosuch"}, root); err == nil {
		t.Error("a name that the image does not have")
	}
}
