// Package rootless puts a command into the user and mount namespace that all commands of a user share, held by one
// pause process per user.
//
// Who says what to whom:
//
//	later commands                 first command of a login               pause process
//	--------------                 ------------------------               -------------
//	constructor, before Go:        constructor finds no lock holder
//	  F_GETLK on pause.lock        Go: Enter
//	  -> pid of the holder           flock create.lock (one creates)
//	  pidfd_open, F_GETLK again      start self, _HULL_PAUSE=1  ------->  constructor, before Go: become_pause
//	  setns(pidfd, USER|MNT)                                    <-------  unshare USER|NS; fd 5: its errno
//	Go: Entered() is true            newuidmap, newgidmap PID ...
//	                                 fd 3: one byte             ------->  become root, mounts slave
//	                                                                      F_SETLK on pause.lock (fd 4)
//	                                 exec self again            <-------  fd 5: one byte, then waits for SIGTERM
//
// The record lock of fcntl(2) names its holder, and the kernel drops it when the holder dies, so neither a reused pid nor
// a stale file can be joined. The lock file holds nothing.
//
// A command that needs no namespace (version, ps, logs ...) does not enter: the constructor knows the words, and
// Enter is not called for it. Root needs no namespace at all.
//
// Files, under $XDG_RUNTIME_DIR/hull, mode 0700:
//
//	pause.lock    empty, 0600; record-locked by the pause process for as long as the namespaces live
//	create.lock   empty, 0600; flock of the command that makes the pause process
package rootless

// #include "enter_linux.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Entered reports whether this process is in the user's namespaces.
func Entered() bool { return C.hull_entered == C.HULL_ENTERED }

// CalledFromOutside reports whether this process is in the user's namespaces and who called it is not: what is mounted
// here, the caller does not see. "hull unshare" calls from inside.
func CalledFromOutside() bool { return C.hull_joined != 0 }

// joinError is why the constructor could not join a pause process that is there.
func joinError() error {
	if C.hull_entered != C.HULL_JOIN_FAILED {
		return nil
	}
	return fmt.Errorf("join the namespaces of the pause process: %w", syscall.Errno(C.hull_entered_errno))
}

// UID is the id of the user on the host, also when this process is root of its namespace.
func UID() int {
	if Entered() {
		return int(C.hull_uid)
	}
	return os.Getuid()
}

// GID is the group id of the user on the host.
func GID() int {
	if Entered() {
		return int(C.hull_gid)
	}
	return os.Getgid()
}

// Rootless reports whether the user is not root on the host.
func Rootless() bool { return UID() != 0 }

// RuntimeDir is the user's folder for what a reboot empties, without "hull": $XDG_RUNTIME_DIR, else /run/user/UID where
// that is the user's, else /tmp/hull-run-UID; /run for root.
func RuntimeDir() string {
	uid := UID()
	if uid == 0 {
		return "/run"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir
	}
	run := "/run/user/" + strconv.Itoa(uid)
	var st unix.Stat_t
	if err := unix.Stat(run, &st); err == nil && int(st.Uid) == os.Getuid() {
		return run
	}
	return "/tmp/hull-run-" + strconv.Itoa(uid)
}

// makeRuntimeDir makes RuntimeDir()/hull and refuses one that is not the user's alone.
func makeRuntimeDir() (string, error) {
	dir := filepath.Join(RuntimeDir(), "hull")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the runtime directory: %w", err)
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		var st unix.Stat_t
		if err := unix.Lstat(d, &st); err != nil {
			return "", os.NewSyscallError("lstat "+d, err)
		}
		if int(st.Uid) != os.Getuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return "", fmt.Errorf("runtime directory %q: %w", d, errNotOurs)
		}
	}
	return dir, nil
}

var errNotOurs = errors.New("does not belong to the user; set XDG_RUNTIME_DIR to a folder that does")
