package reap

import (
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// clonedMark tells crun that what it runs from cannot be written to (its libcrun/cloned_binary.c).
	clonedMark = "_LIBCONTAINER_CLONED_BINARY=1"
	// aboveAll is past every descriptor that a child of the monitor gets: ForkExec moves those about below it.
	aboveAll = 200
)

// asReadOnly makes crun spare itself a second start. A container's process may reach the runtime's file through
// /proc/PID/exe (CVE-2019-5736), so crun, before all else, mounts itself read-only at a place of its own and executes that:
// 6 ms here, most of it for loading its libraries once more. The monitor executes such a mount at once. It has no place in
// the tree of folders, as crun's own has none when it is executed; crun makes sure that it is read-only.
//
// Where the kernel says no, or the runtime is another or a script, argv is executed as it is. The caller calls done after
// the fork.
func asReadOnly(path string, env []string) (at string, withMark []string, done func()) {
	asIs := func() (string, []string, func()) { return path, env, func() {} }
	if !IsCrun(path) {
		return asIs()
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return asIs()
	}
	defer unix.Close(tree)
	if unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}) != nil {
		return asIs()
	}
	fd, err := unix.FcntlInt(uintptr(tree), unix.F_DUPFD_CLOEXEC, aboveAll)
	if err != nil {
		return asIs()
	}
	marked := append(env[:len(env):len(env)], clonedMark)
	return "/proc/self/fd/" + strconv.Itoa(fd), marked, func() { _ = unix.Close(fd) }
}

// IsCrun reports whether a runtime is crun, and a program: of a script nobody knows what it does.
func IsCrun(path string) bool { return filepath.Base(path) == "crun" && isELF(path) }

// isELF tells a program from a script, whose interpreter would not find it by a descriptor.
func isELF(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var magic [4]byte
	n, err := unix.Pread(fd, magic[:], 0)
	return err == nil && n == len(magic) && string(magic[:]) == "\x7fELF"
}
