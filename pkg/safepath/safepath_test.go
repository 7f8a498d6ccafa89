package safepath

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hostile is a root with links that lead out, and a folder beside it that they lead to.
func hostile(t *testing.T) (root, outside string) {
	t.Helper()
	root, outside = t.TempDir(), t.TempDir()
	up := strings.Repeat("../", 40)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"absolute": outside, "relative": up + strings.TrimPrefix(outside, "/"), "proc": "/proc/self/root" + outside, "loop": "loop",
		"good": "/file", "goodup": up + "file", "dangling": "/nosuch",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root, outside
}

func TestNothingLeadsOut(t *testing.T) {
	root, outside := hostile(t)
	up := strings.Repeat("../", 40)
	for _, path := range []string{
		"absolute/secret", "/relative/secret", "proc/secret", "loop", "dangling", up + strings.TrimPrefix(outside, "/") + "/secret", outside + "/secret",
	} {
		t.Run(path, func(t *testing.T) {
			if data, err := ReadFile(root, path, 100); err == nil {
				t.Errorf("reads %q", data)
			}
			if _, err := Stat(root, path); err == nil {
				t.Error("Stat finds it")
			}
			if f, err := OpenRegular(open(t, root), path); err == nil {
				t.Errorf("opens %q", f.Name())
			}
		})
	}
	for _, link := range []string{"absolute", "relative", "proc"} {
		_ = MkdirAll(root, link+"/made", 0o755) // refused, or made inside
		if _, err := os.Lstat(filepath.Join(outside, "made")); err == nil {
			t.Errorf("a folder is made outside through %s", link)
		}
		_ = Symlink(root, "x", link+"/linked")
		if _, err := os.Lstat(filepath.Join(outside, "linked")); err == nil {
			t.Errorf("a link is made outside through %s", link)
		}
	}
}

func TestReadFile(t *testing.T) {
	root, _ := hostile(t)
	for _, path := range []string{"file", "/file", "good", "goodup", "../file"} {
		if data, err := ReadFile(root, path, 6); err != nil || string(data) != "inside" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if _, err := ReadFile(root, "file", 5); err == nil {
		t.Error("more than the limit is read")
	}
	if _, err := ReadFile(root, "nosuch", 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"pipe", "/"} {
		if _, err := ReadFile(root, path, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOpenRegular(t *testing.T) {
	root, _ := hostile(t)
	dir := open(t, root)
	if err := unix.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", "/file", "good", "goodup", "../file"} {
		f, err := OpenRegular(dir, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		data, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || string(data) != "inside" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if _, err := OpenRegular(dir, "nosuch"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, path := range []string{"pipe", "/"} {
		if _, err := OpenRegular(dir, path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// open opens a folder until the test is over.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

func TestSymlink(t *testing.T) {
	root := t.TempDir()
	if err := Symlink(root, "x", "/etc/mtab"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/proc/mounts", "/other"} {
		if err := Symlink(root, target, "/etc/mtab"); err != nil {
			t.Error(err)
		}
		if got, err := os.Readlink(filepath.Join(root, "etc/mtab")); err != nil || got != "/proc/mounts" {
			t.Errorf("after %s: %q, %v", target, got, err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Symlink(root, "x", "/file/link"); err == nil {
		t.Error("a link is made in a file")
	}
}

func TestMkdirAll(t *testing.T) {
	root, _ := hostile(t)
	for range 2 {
		if err := MkdirAll(root, "/a/b", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	st, err := Stat(root, "a/b")
	if err != nil || !st.IsDir() {
		t.Errorf("%v, %v", st, err)
	}
	if err := MkdirAll(root, "file/x", 0o700); err == nil {
		t.Error("a folder is made in a file")
	}
}

func FuzzParseACL(f *testing.F) {
	plain, err := parseACL(nil, 0o750)
	if err != nil {
		f.Fatal(err)
	}
	once, _ := plain.allow(7)
	f.Add(plain.bytes(), uint32(0))
	f.Add(once.bytes(), uint32(7))
	f.Add([]byte{2, 0, 0, 0, 1}, uint32(1))
	f.Fuzz(func(t *testing.T, data []byte, uid uint32) {
		list, err := parseACL(data, 0o700)
		if err != nil {
			return
		}
		more, _ := list.allow(uid)
		again, err := parseACL(more.bytes(), 0)
		if err != nil || len(again) != len(more) {
			t.Fatalf("%v is read as %v, %v", more, again, err)
		}
		if _, changed := again.allow(uid); changed && len(more) > 0 {
			t.Errorf("%v: the right to pass is given twice", more)
		}
	})
}
