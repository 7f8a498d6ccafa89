package layers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/containerd/errdefs"
	"go.podman.io/storage"

	"hull.dev/hull/pkg/errs"
)

// invalid is an error of class ErrInvalidArgument.
func invalid(format string, args ...any) error { return errs.Invalid(format, args...) }

// withClass is an error of the library with a class beside its own words and chain.
type withClass struct {
	error
	class error
}

func (e *withClass) Unwrap() []error { return []error{e.error, e.class} }

// classed gives an error of the storage library its class. An error that has one stays as it is.
func classed(err error) error {
	if err == nil {
		return nil
	}
	for _, c := range classes {
		if errors.Is(err, c.class) {
			return err
		}
	}
	for _, c := range classes {
		for _, known := range c.errors {
			if errors.Is(err, known) {
				return &withClass{err, c.class}
			}
		}
	}
	return err
}

// classes is read only.
var classes = []struct {
	class  error
	errors []error
}{
	{errdefs.ErrNotFound, []error{
		storage.ErrContainerUnknown, storage.ErrImageUnknown, storage.ErrLayerUnknown, storage.ErrNotAContainer,
		storage.ErrNotALayer, storage.ErrNotAnImage, storage.ErrNotAnID,
	}},
	{errdefs.ErrAlreadyExists, []error{storage.ErrDuplicateID, storage.ErrDuplicateName}},
	{errdefs.ErrConflict, []error{
		storage.ErrImageUsedByContainer, storage.ErrLayerUsedByContainer, storage.ErrLayerUsedByImage,
		storage.ErrLayerHasChildren,
	}},
	{errdefs.ErrFailedPrecondition, []error{storage.ErrStoreIsReadOnly, syscall.EROFS, storage.ErrLayerNotMounted}},
	{errdefs.ErrResourceExhausted, []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE}},
	{errdefs.ErrPermissionDenied, []error{fs.ErrPermission}},
	{errdefs.ErrNotImplemented, []error{storage.ErrNotSupported}},
	{errdefs.ErrInvalidArgument, []error{storage.ErrInvalidMappings}},
	{errdefs.ErrInternal, []error{storage.ErrLoadError}},
}

// opened opens the store unless ctx has ended: the library knows no contexts, so between its calls is where a
// cancelled command stops.
func (s *Store) opened(ctx context.Context) (storage.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return s.open()
}

// short is an id as users see it.
func short(id string) string { return id[:min(12, len(id))] }

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, classed(err))...)
}
