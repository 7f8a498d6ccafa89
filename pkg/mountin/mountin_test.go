package mountin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// elsewhere runs f in a thread with a mount namespace of its own.
func elsewhere(t *testing.T, f func() error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mount(2) is root's")
	}
	err := thread.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		return f()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMount(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"low", "own/diff", "own/work", "own/merged"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere(t, func() error {
		before, err := os.Getwd()
		if err != nil {
			return err
		}
		if err := Mount(dir, "scratch", "own", "tmpfs", "size=1m"); err != nil {
			return err
		}
		for _, name := range []string{"diff", "work", "merged"} {
			if err := os.Mkdir(filepath.Join(dir, "own", name), 0o755); err != nil {
				return err
			}
		}
		if err := Mount(dir+"/own", "overlay", "merged", "overlay", "lowerdir=../low,upperdir=diff,workdir=work"); err != nil {
			return err
		}
		list, err := os.ReadFile("/proc/thread-self/mountinfo")
		if err != nil {
			return err
		}
		if !strings.Contains(string(list), dir+"/own/merged ") || !strings.Contains(string(list), "lowerdir=../low,upperdir=diff,") {
			t.Errorf("what is mounted: %s", list)
		}
		if after, err := os.Getwd(); after != before {
			t.Errorf("the working folder was %q, is %q, %v", before, after, err)
		}
		if err := Mount(dir, "overlay", "low", "overlay", "lowerdir=nosuch,upperdir=a,workdir=b"); !errors.Is(err, unix.ENOENT) {
			t.Errorf("a folder that is not there: %v", err)
		}
		return nil
	})
}

// One may be in a folder that one cannot enter: who starts a command as another user leaves it there.
func TestMountWithoutAWayBack(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/closed", 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere(t, func() error {
		if err := unix.Chdir(dir + "/closed"); err != nil { // this thread's alone, since the namespace is
			return err
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 { // and so is this
			return errno
		}
		if err := Mount("/", "scratch", "tmp", "tmpfs", ""); !errors.Is(err, ErrNoWayBack) {
			t.Errorf("%v", err)
		}
		return nil
	})
}
