// Package netns makes network namespaces and enters them. A namespace is held by a bind mount of its file under /proc over an
// empty file, so it lives without a process in it.
package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// Create makes a new network namespace, mounted at path.
func Create(path string) error { return Make().Mount(path) }

// Loose is a new network namespace that is mounted nowhere: without Mount it is gone when it is closed, or with the process.
type Loose struct {
	made chan struct{} // closed when there is a file, or an error
	file *os.File
	err  error
}

// Make begins to make a namespace, which takes the kernel up to some milliseconds. The thread that does is thrown away: it is
// in the new one.
func Make() *Loose {
	l := &Loose{made: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		defer close(l.made)
		l.file, l.err = create()
	}()
	return l
}

// Mount mounts the namespace at path, and closes it.
func (l *Loose) Mount(path string) error {
	defer l.Close()
	if err := mountpoint(path); err != nil {
		return err
	}
	if <-l.made; l.err != nil {
		return l.err
	}
	return bind("/proc/self/fd/"+strconv.Itoa(int(l.file.Fd())), path)
}

// Keep mounts the namespace of any kind that is at file, one of a process as a rule, at path.
func Keep(file, path string) error {
	if err := mountpoint(path); err != nil {
		return err
	}
	return bind(file, path)
}

func bind(file, path string) error {
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount namespace at %q: %w", path, err)
	}
	return nil
}

// Close may be called again, and on nil.
func (l *Loose) Close() {
	if l != nil {
		<-l.made
		_ = l.file.Close()
	}
}

// mountpoint makes the empty file that a namespace is mounted on.
func mountpoint(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("make namespace: %w", err)
	}
	return f.Close()
}

// create has the thread in a new namespace, and opens that.
func create() (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, os.NewSyscallError("unshare network namespace", err)
	}
	if err := loopbackUp(); err != nil {
		return nil, err
	}
	return os.Open("/proc/self/task/" + strconv.Itoa(unix.Gettid()) + "/ns/net")
}

// LoopbackUp turns lo on in the namespace at path.
func LoopbackUp(path string) error {
	return thread.Do(func() error {
		if err := Join(path); err != nil {
			return err
		}
		return loopbackUp()
	})
}

// loopbackUp turns lo on in the thread's namespace: nobody else does in a namespace that the runtime only joins.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("ioctl SIOCSIFFLAGS lo", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}

// Remove unmounts the namespace at path and removes the file; what is gone already is fine.
func Remove(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount network namespace %q: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Mounted reports whether a namespace is mounted at path.
func Mounted(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}
