package registry

import (
	"context"
	"errors"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
)

// copyOut copies an image out of the store and returns the manifest that was written.
func (j *job) copyOut(ctx context.Context, id string, to types.ImageReference, o copy.Options) ([]byte, error) {
	img, err := j.store.ImageByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if list, err := j.store.IsList(ctx, img); err == nil && list {
		return nil, errs.WithHint(errs.Invalid("image %q is a list of images", img.ID[:12]), "hull manifest push copies it")
	}
	store, err := j.store.Raw()
	if err != nil {
		return nil, err
	}
	from, err := storage.Transport.NewStoreReference(store, nil, id)
	if err != nil {
		return nil, err
	}
	manifest, err := j.copyFrom(ctx, flowing{from, j, store}, to, o)
	if err != nil && ctx.Err() == nil {
		if _, gone := j.store.ImageByID(ctx, id); errs.IsNotFound(gone) {
			return nil, errs.NotFound("image %q was removed while it was copied; pull or load it, and begin again", img.ID[:12])
		}
	}
	return manifest, err
}

// copyFrom copies what comes from this store, and from where its lists say, and returns the manifest that was written.
func (j *job) copyFrom(ctx context.Context, from, to types.ImageReference, o copy.Options) (_ []byte, err error) {
	// policy.json is about what comes in; what is in the store was let in.
	policy, err := accepting()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, policy.Destroy()) }()
	return j.copyWith(ctx, policy, from, to, o)
}

// copyWith copies by a policy, tells how far it is, and returns the manifest that was written.
func (j *job) copyWith(ctx context.Context, policy *signature.PolicyContext, from, to types.ImageReference, o copy.Options) ([]byte, error) {
	if o.SourceCtx == nil {
		o.SourceCtx = o.DestinationCtx
	}
	events, done := j.blobs(nil)
	defer func() { close(events); <-done }()
	lines := &lineWriter{say: j.say}
	defer lines.end()
	o.ReportWriter, o.Progress, o.ProgressInterval = lines, events, progressInterval
	manifest, err := copy.Image(ctx, policy, to, from, &o)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	return manifest, err
}
