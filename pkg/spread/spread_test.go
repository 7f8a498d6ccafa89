package spread

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func flagged(t *testing.T, path string) bool {
	t.Helper()
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	flags, err := unix.IoctlGetInt(int(dir.Fd()), unix.FS_IOC_GETFLAGS)
	return err == nil && flags&topdir != 0
}

func TestMkdirAll(t *testing.T) {
	base := t.TempDir()
	dir, err := os.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	want := journalless(dir)
	path := filepath.Join(base, "a/b/c")
	for range 2 {
		if err := MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := MkdirAll(filepath.Join(base, "a/b/d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := flagged(t, filepath.Join(base, "a/b")); got != want {
		t.Errorf("on ext4 without a journal %v, spread %v", want, got)
	}
	for _, other := range []string{"a", "a/b/c", "a/b/d"} {
		if flagged(t, filepath.Join(base, other)) {
			t.Errorf("%s is spread too", other)
		}
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "x"), filepath.Join(file, "x/y")} {
		if err := MkdirAll(bad, 0o700); err == nil {
			t.Errorf("%s was made", bad)
		}
	}
}

// TestOtherFileSystems: what has no journal to ask about is left alone.
func TestOtherFileSystems(t *testing.T) {
	dir, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if journalless(dir) {
		t.Error("proc is taken for ext4")
	}
	Folders(dir)
}
