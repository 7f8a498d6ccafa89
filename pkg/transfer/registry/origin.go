package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	local "hull.dev/hull/pkg/reference"
)

// origin is where an image of a list is, opened. The caller closes it.
type origin struct {
	types.ImageSource
	where string // TRANSPORT:DETAILS, to find it again
	sys   *types.SystemContext
	name  reference.Named // nil: not in a registry
}

// originOf opens what a user calls an image: a short name, and one of localhost, is first looked for in the store, any
// other in its registry, and then in the store.
func (j *job) originOf(ctx context.Context, sys *types.SystemContext, text string) (*origin, error) {
	if _, _, ok := cutTransport(text); ok {
		return j.originAt(ctx, sys, text)
	}
	stored := storage.Transport.Name() + ":" + text
	if isLocal(text) {
		o, err := j.originAt(ctx, sys, stored)
		if !errdefs.IsNotFound(err) || strings.HasPrefix(text, "localhost/") {
			return o, err
		}
	}
	found, err := resolve(sys, text, "")
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, c := range found.candidates {
		o, err := j.originAt(ctx, sys, docker.Transport.Name()+"://"+c.name.String())
		if err == nil || ctx.Err() != nil {
			return o, err
		}
		failed = append(failed, err)
	}
	if o, err := j.originAt(ctx, sys, stored); !errdefs.IsNotFound(err) {
		return o, err
	}
	if len(failed) == 1 || found.joined == nil {
		return nil, failed[0]
	}
	return nil, &severalError{failed, found.joined(failed)}
}

// isLocal reports whether a name is looked for in the store first.
func isLocal(text string) bool {
	ref, err := local.Parse(text)
	return err != nil || ref.Short() || ref.Domain == "localhost"
}

// originAt opens TRANSPORT:DETAILS.
func (j *job) originAt(ctx context.Context, sys *types.SystemContext, text string) (*origin, error) {
	ref, name, err := j.locate(ctx, text)
	if err != nil {
		return nil, err
	}
	if name != nil {
		if sys, err = guarded(sys, name); err != nil {
			return nil, err
		}
	}
	o := &origin{where: transports.ImageName(ref), sys: sys, name: name}
	err = j.again(ctx, func() error {
		o.ImageSource, err = ref.NewImageSource(ctx, sys)
		return err
	})
	switch {
	case err == nil:
		return o, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case name == nil: // what is not in a registry does not say what it is
		err = fmt.Errorf("%s: %w", text, err)
	}
	return nil, explained(err, name)
}

// locate makes a reference of TRANSPORT:DETAILS, and for a registry its name too.
func (j *job) locate(ctx context.Context, text string) (types.ImageReference, reference.Named, error) {
	transport, details, _ := cutTransport(text)
	switch transport {
	case storage.Transport.Name():
		ref, err := j.locateStored(ctx, details)
		return ref, nil, err
	case docker.Transport.Name():
		name, err := named(strings.TrimPrefix(details, "//"))
		if err != nil {
			return nil, nil, err
		}
		ref, err := docker.NewReference(reference.TagNameOnly(name))
		return ref, name, err
	}
	for _, t := range others() {
		if t.Name() == transport {
			ref, err := t.ParseReference(details)
			if err != nil {
				err = errs.Invalid("%s: %v", text, err)
			}
			return ref, nil, err
		}
	}
	return nil, nil, errs.Invalid("no transport is called %q", transport)
}

// locateStored finds an image of the store, or of another one, by what a user writes or podman recorded: [DRIVER@ROOT+RUNROOT:OPTIONS]NAME@ID.
func (j *job) locateStored(ctx context.Context, details string) (types.ImageReference, error) {
	other, details, err := j.storeOf(details, false)
	if err != nil {
		return nil, err
	}
	if i := strings.LastIndexByte(details, '@'); i >= 0 && local.IsID(details[i+1:]) {
		details = details[i+1:]
	}
	img, _, err := other.Image(ctx, details)
	if err != nil {
		return nil, err
	}
	store, err := other.Raw()
	if err != nil {
		return nil, err
	}
	return storage.Transport.NewStoreReference(store, nil, img.ID)
}
