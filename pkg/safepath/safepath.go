// Package safepath opens paths inside a root that is not ours: links resolve within the root, and what a process of the
// container changes meanwhile cannot lead out of it (openat2(2) RESOLVE_IN_ROOT, through pathrs-lite).
package safepath

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
)

// ReadFile reads a regular file of at most limit bytes inside root.
func ReadFile(root, path string, limit int64) ([]byte, error) {
	f, err := Open(root, path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := regular(f, path)
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, &os.PathError{Op: "read", Path: path, Err: unix.EFBIG}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// Open opens what path leads to inside root with the flags of open(2).
func Open(root, path string, flags int) (*os.File, error) {
	handle, err := pathrs.OpenInRoot(root, path)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	return pathrs.Reopen(handle, flags)
}

// OpenRegular opens a regular file below dir, which is the root for it, to be read. It is for many files of one folder: a call of the
// kernel's each (openat2(2)), a tenth of what Open takes, and none for kernels before 5.6.
func OpenRegular(dir *os.File, path string) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOCTTY | unix.O_NONBLOCK, // a pipe would be waited for
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	name := filepath.Join(dir.Name(), path)
	fd, err := unix.Openat2(int(dir.Fd()), path, &how)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := regular(f, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// regular tells of f, which path leads to and which has to be a regular file.
func regular(f *os.File, path string) (os.FileInfo, error) {
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	return st, err
}

// MkdirAll makes a folder and its parents inside root.
func MkdirAll(root, path string, mode os.FileMode) error {
	return pathrs.MkdirAll(root, path, mode)
}

// Symlink makes a link to target at path inside root, whose folder has to be there. What is there already stays. None for kernels
// before 5.6.
func Symlink(root, target, path string) error {
	dir, name := filepath.Split(path)
	fd, err := openDir(root, dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Symlinkat(target, fd, name)
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return &os.PathError{Op: "symlinkat", Path: path, Err: err}
}

// openDir opens a folder inside root as a place for others (open(2), O_PATH).
func openDir(root, dir string) (int, error) {
	at, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(at)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(at, dir, &how)
	if err != nil {
		return -1, &os.PathError{Op: "openat2", Path: filepath.Join(root, dir), Err: err}
	}
	return fd, nil
}

// Stat tells of what path leads to inside root.
func Stat(root, path string) (os.FileInfo, error) {
	handle, err := pathrs.OpenInRoot(root, path)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	return handle.Stat()
}
