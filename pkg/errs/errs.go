// Package errs gives an error the two things a user needs besides its words: a class, which decides the exit code and
// the HTTP status, and a hint, which is the way out. The classes are those of github.com/containerd/errdefs; the three
// below are exit codes that podman-run(1) fixes.
package errs

import (
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
)

// Exit codes of podman-run(1), "Exit Status".
const (
	ExitEngine        = 125 // the engine itself failed
	ExitNotExecutable = 126 // the command in the container cannot be invoked
	ExitNotFound      = 127 // the command in the container cannot be found
)

// hinted is an error with the way out beside it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// WithHint adds what the user can do next; the error's own text does not change. A nil err stays nil. The innermost
// hint wins, since it knows most.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &hinted{err, format}
}

// Hint returns the innermost hint of err, or "".
func Hint(err error) string {
	hint := ""
	var h *hinted
	for errors.As(err, &h) {
		hint, err = h.hint, h.error
	}
	return hint
}

// exit is an error that decides the exit code of the program.
type exit struct {
	error
	code int
}

func (e *exit) Unwrap() error { return e.error }

// WithExit sets the exit code that the program ends with when err reaches main. An err of nil makes a silent exit: the
// code is handed on and nothing is printed, as for the code of a container's own process.
func WithExit(err error, code int) error { return &exit{err, code} }

// Error is the text of the wrapped error, or "" for a silent exit.
func (e *exit) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

// Exit returns the exit code for err: 0 for nil, the code set by WithExit, else 125.
func Exit(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*exit](err); ok {
		return e.code
	}
	return ExitEngine
}

// NotFound is an error of class errdefs.ErrNotFound with exactly these words.
func NotFound(format string, args ...any) error {
	return errdefs.ErrNotFound.WithMessage(fmt.Sprintf(format, args...))
}

// Invalid is an error of class errdefs.ErrInvalidArgument with exactly these words.
func Invalid(format string, args ...any) error {
	return errdefs.ErrInvalidArgument.WithMessage(fmt.Sprintf(format, args...))
}

// Exists is an error of class errdefs.ErrAlreadyExists with exactly these words.
func Exists(format string, args ...any) error {
	return errdefs.ErrAlreadyExists.WithMessage(fmt.Sprintf(format, args...))
}

// Conflict is an error of class errdefs.ErrConflict with exactly these words: the object is in a state that does not
// allow the act.
func Conflict(format string, args ...any) error {
	return errdefs.ErrConflict.WithMessage(fmt.Sprintf(format, args...))
}

// NotBuilt is the answer to a flag or command of the surface that hull does not have yet.
func NotBuilt(what string) error {
	return WithExit(errdefs.ErrNotImplemented.WithMessage(what+" is not built yet"), ExitEngine)
}

// IsNotFound reports whether err, or one that it wraps, says that an object is not there.
func IsNotFound(err error) bool { return errdefs.IsNotFound(err) }

// IsConflict reports whether err, or one that it wraps, says that an object is in the wrong state.
func IsConflict(err error) bool { return errdefs.IsConflict(err) }
