package owned

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/thread"
)

// elsewhere runs f in a thread with a mount namespace of its own.
func elsewhere(t *testing.T, f func(dir string) error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mount(2) is root's")
	}
	dir := t.TempDir()
	err := thread.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		return f(dir)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// owner is the inode of the user namespace that owns the one at path.
func owner(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Ino, err
}

func inode(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return st.Ino, err
}

func TestCreate(t *testing.T) {
	elsewhere(t, func(dir string) error {
		user, first, second := filepath.Join(dir, "user"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1000, Size: 5}, {ContainerID: 10, HostID: 2000, Size: 1}}
		if err := Create(first, user, ids, ids[:1]); err != nil {
			return err
		}
		if err := CreateIn(second, user); err != nil {
			return err
		}
		want, err := inode(user)
		if err != nil {
			return err
		}
		seen := map[uint64]bool{}
		for _, path := range []string{first, second} {
			if got, err := owner(path); got != want || err != nil {
				t.Errorf("%s is owned by user namespace %d, %v, want %d", filepath.Base(path), got, err, want)
			}
			ino, err := inode(path)
			if err != nil {
				return err
			}
			seen[ino] = true
			f, err := os.Open(path) // which other threads do not see
			if err != nil {
				return err
			}
			defer f.Close()
			there, err := netns.Enter("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
			if err != nil {
				return err
			}
			err = there.Do(func() error {
				state, err := os.ReadFile("/proc/thread-self/net/if_inet6")
				if err == nil && !strings.Contains(string(state), "00000000000000000000000000000001") {
					t.Errorf("lo of %s is not up", filepath.Base(path))
				}
				return nil
			})
			there.Close()
			if err != nil {
				return err
			}
		}
		if len(seen) != 2 {
			t.Error("both are the same namespace")
		}
		return nil
	})
}

// What cannot be leaves no child behind and says why.
func TestRefused(t *testing.T) {
	elsewhere(t, func(dir string) error {
		twice := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1, Size: 5}, {ContainerID: 1, HostID: 9, Size: 5}}
		if err := Create(dir+"/net", dir+"/user", twice, twice); err == nil {
			t.Error("a map that overlaps was taken")
		}
		if err := CreateIn(dir+"/net", "/proc/self/ns/net"); err == nil || !strings.Contains(err.Error(), "/proc/self/ns/net") {
			t.Errorf("a namespace of another kind: %v", err)
		}
		if err := CreateIn(dir+"/net", dir+"/nosuch"); err == nil {
			t.Error("a file that is not there was taken")
		}
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("a child is left: %v", err)
		}
		return nil
	})
}
