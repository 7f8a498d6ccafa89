package errs

import (
	"context"
	"errors"

	"github.com/containerd/errdefs"
)

// Failure is an error on its way from one of our programs to another.
type Failure struct {
	Class   string `json:"class,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// classes are the ones that cross.
var classes = map[string]error{
	"not-found": errdefs.ErrNotFound, "invalid": errdefs.ErrInvalidArgument, "exists": errdefs.ErrAlreadyExists,
	"conflict": errdefs.ErrConflict, "precondition": errdefs.ErrFailedPrecondition,
	"exhausted": errdefs.ErrResourceExhausted, "denied": errdefs.ErrPermissionDenied,
	"not-implemented": errdefs.ErrNotImplemented, "unavailable": errdefs.ErrUnavailable,
	"data-loss": errdefs.ErrDataLoss, "canceled": context.Canceled,
}

// NewFailure makes err fit for the way. A message of more than limit bytes is cut there: what a stranger's data says is
// repeated in part only.
func NewFailure(err error, limit int) *Failure {
	f := &Failure{Message: err.Error(), Hint: Hint(err)}
	for name, class := range classes {
		if errors.Is(err, class) {
			f.Class = name
		}
	}
	if len(f.Message) > limit {
		f.Message = f.Message[:limit]
	}
	return f
}

// Err is the failure as an error again: same words, class and hint.
func (f *Failure) Err() error {
	var err error = &failed{f.Message, classes[f.Class]}
	if f.Hint != "" {
		err = WithHint(err, "%s", f.Hint)
	}
	return err
}

type failed struct {
	message string
	class   error
}

func (e *failed) Error() string { return e.message }
func (e *failed) Unwrap() error { return e.class }
