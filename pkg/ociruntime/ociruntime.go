// Package ociruntime is the one door to the OCI runtime's program, crun(8) or runc(8): the calls that hull makes on a
// container which is there. The monitor makes and executes containers itself, since it has to be their parent.
package ociruntime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// deadline bounds each call: a runtime that hangs must not hang hull.
const deadline = 60 * time.Second

// Runtime is a runtime's program with the global flags that every call of it gets.
type Runtime struct {
	Path  string
	Root  string   // its folder for state, --root; "" is its own choice
	Flags []string // more global flags, as the runtime reads them
}

// Args are the global flags of each call.
func (r Runtime) Args() []string {
	if r.Root == "" {
		return r.Flags
	}
	return append([]string{"--root", r.Root}, r.Flags...)
}

// Name is the program's name: crun, runc.
func (r Runtime) Name() string { return filepath.Base(r.Path) }

// Start runs the process of a container that was created (runtime-spec "start").
func (r Runtime) Start(ctx context.Context, id string) error {
	return r.run(ctx, "start", id)
}

// Kill sends a signal to the container's first process, or to all its processes. A container that the runtime does not
// have, or whose process has ended, is an error of class NotFound.
func (r Runtime) Kill(ctx context.Context, id string, sig unix.Signal, all bool) error {
	args := []string{"kill"}
	if all {
		args = append(args, "--all")
	}
	return r.run(ctx, append(args, id, strconv.Itoa(int(sig)))...)
}

// Delete removes what the runtime keeps of a container, killing it if need be. One that is gone is fine, and so is a
// runtime that cannot be executed: it keeps nothing.
func (r Runtime) Delete(ctx context.Context, id string) error {
	if r.forget(id) {
		return nil
	}
	err := r.run(ctx, "delete", "--force", id)
	if errs.Hint(err) == hintGone || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOEXEC) || errors.Is(err, unix.EACCES) {
		return nil
	}
	return err
}

// Version returns what the program says of itself, first line first.
func (r Runtime) Version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.Path, "--version").Output()
	return strings.TrimSpace(string(out)), err
}

const hintGone = "the container ended meanwhile"

func (r Runtime) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Path, append(slices.Clip(r.Args()), args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: no answer within %s: %w", r.Name(), args[0], deadline, context.Cause(ctx))
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		return errs.WithHint(fmt.Errorf("start the OCI runtime: %w", err), "apt-get install crun, or name another with --runtime")
	}
	text := strings.TrimSpace(stderr.String())
	err = fmt.Errorf("%s %s: %s", r.Name(), args[0], text)
	if gone(text) {
		return errs.WithHint(fmt.Errorf("%w%w", err, notFound{}), hintGone)
	}
	return err
}

// notFound gives an error its class and no words.
type notFound struct{}

func (notFound) Error() string { return "" }
func (notFound) NotFound()     {}

// gone knows the words by which crun 1.x and runc 1.x say that the container or its process is not there; neither has
// an exit code for it.
func gone(text string) bool {
	for _, words := range []string{
		"does not exist", "container not running", "is not running", "no such process", "No such process",
		"process already finished", "the container is stopped", "No such file or directory",
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
