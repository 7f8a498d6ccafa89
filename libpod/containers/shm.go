package containers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// sharedShm returns the folder that a container is to see as /dev/shm because it shares the ipc namespace of another, or of the host; "" when
// it gets one of its own, which the runtime mounts in the container alone. A mount of the engine's for each container that might be
// shared one day would cost each of them more than it costs those that are: every program that starts in Go reads the list of mounts.
func (s *Service) sharedShm(ctx context.Context, c *locked) (string, error) {
	mode := c.Config.Options.IPC
	if mode == "host" {
		return "/dev/shm", nil
	}
	other, err := s.sharer(ctx, mode)
	if err != nil || other == nil {
		return "", err
	}
	path := filepath.Join(s.dir(c.id()), "shm")
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	if err := borrow(other.PID, "/dev/shm", path); err != nil {
		return "", fmt.Errorf("share /dev/shm of container %q: %w", other.Config.Name, err)
	}
	return path, nil
}

// borrow mounts at path the file system that a process has at place. The process' container may be hostile: place is looked for in its own
// root, and no link is followed.
func borrow(pid int, place, path string) error {
	var tree int
	err := thread.Do(func() error {
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := unix.Unshare(unix.CLONE_FS); err != nil { // setns(2): a thread that shares its root cannot change namespaces
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("setns", err)
		}
		tree, err = unix.OpenTree(unix.AT_FDCWD, place, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
		return os.NewSyscallError("open_tree", err)
	})
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return os.NewSyscallError("move_mount", unix.MoveMount(tree, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH))
}
