package layers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.podman.io/storage/pkg/unshare"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// peek opens the root file system of a side whose layers are overlay's, to be read only. A container that is mounted is
// read where it is; else what has to be mounted is mounted where nobody else sees it, and goes when the file is closed, or
// with the process.
func (s *Store) peek(side Side) (*os.File, error) {
	dir := filepath.Join(s.overlayHome(), side.layer)
	if side.own != "" {
		dir = s.ownDir(side.own)
		if merged := filepath.Join(dir, "merged"); mounted(dir, merged) {
			return os.Open(merged)
		}
	}
	top := filepath.Join(dir, "diff")
	lower, err := os.ReadFile(filepath.Join(dir, lowerFile))
	if errors.Is(err, os.ErrNotExist) { // the lowest of all
		return os.Open(top)
	}
	if err != nil {
		return nil, err
	}
	return s.mountUnseen("lowerdir=" + top + ":" + strings.TrimSpace(string(lower)))
}

// mountUnseen mounts overlay read only in a mount namespace of one thread, and opens it:
//
//	a thread of its own   unshare, all mounts private, mount, open ──▶ ends, and the namespace with it
//	the file              keeps the mount until it is closed
//
// Paths in options may be relative to overlay's home, as those in a file "lower" are: they have to fit into one page.
func (s *Store) mountUnseen(options string) (*os.File, error) {
	if unshare.IsRootless() {
		options += ",userxattr"
	}
	home := s.overlayHome()
	var f *os.File
	err := thread.Do(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNS); err != nil { // and so the thread has a working folder of its own
			return os.NewSyscallError("unshare", err)
		}
		if err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return os.NewSyscallError("make mounts private", err)
		}
		if err = unix.Chdir(home); err != nil {
			return os.NewSyscallError("chdir", err)
		}
		if err = unix.Mount("overlay", home, "overlay", unix.MS_RDONLY, options); err != nil {
			return os.NewSyscallError("mount overlay", err)
		}
		f, err = os.Open(home)
		return err
	})
	return f, err
}

// procPath is a path to an open file, whatever namespace it is of.
func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
