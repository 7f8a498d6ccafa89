// Package safepath opens paths inside a root that is not ours: links resolve within the root, and what a process of the
// container changes meanwhile cannot lead out of it (openat2(2) RESOLVE_IN_ROOT, through pathrs-lite).
package safepath

import (
	"errors"
	"io"
	"os"

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
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
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

// MkdirAll makes a folder and its parents inside root.
func MkdirAll(root, path string, mode os.FileMode) error {
	return pathrs.MkdirAll(root, path, mode)
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
