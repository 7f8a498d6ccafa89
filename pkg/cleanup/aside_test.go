package cleanup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAside(t *testing.T) {
	root := t.TempDir()
	dir, gone := filepath.Join(root, "dir"), filepath.Join(root, "gone")
	prepare := func() {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "inner"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	missing := func(path string) bool {
		_, err := os.Lstat(path)
		return os.IsNotExist(err)
	}
	prepare()
	if err := Aside(dir, gone); err != nil || !missing(dir) || missing(filepath.Join(gone, "dir/inner")) {
		t.Errorf("moved: %v", err)
	}
	prepare() // again, before what was moved is removed
	if err := Aside(dir, gone); err != nil || !missing(dir) {
		t.Errorf("moved onto another: %v", err)
	}
	if err := Aside(dir, gone); err != nil {
		t.Errorf("what is not there: %v", err)
	}
	if err := Aside(filepath.Join(root, "no/dir"), filepath.Join(root, "no/gone")); err != nil || !missing(filepath.Join(root, "no")) {
		t.Errorf("in a folder that is not there: %v", err)
	}
}
