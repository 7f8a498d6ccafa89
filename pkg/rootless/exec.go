package rootless

import (
	"errors"
	"io/fs"
	"os/exec"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// Exec puts a program in the place of this one and returns only when that fails, with the exit code that chroot(1) and
// podman-unshare(1) have for it: 127 when there is no such program, 126 when it cannot be executed.
func Exec(argv, env []string) error {
	path, err := exec.LookPath(argv[0])
	if errors.Is(err, exec.ErrDot) { // a relative folder in $PATH: a shell takes it too
		err = nil
	}
	if err == nil {
		err = &exec.Error{Name: argv[0], Err: unix.Exec(path, argv, env)}
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return errs.WithExit(err, errs.ExitNotFound)
	}
	return errs.WithExit(err, errs.ExitNotExecutable)
}
