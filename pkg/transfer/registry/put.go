package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer"
)

// put copies all bundles into the store and gives them their names when all are there. If one fails, those that were
// not there before are removed again.
func (j *job) put(ctx context.Context, bundles []*bundle) (_ transfer.Result, err error) {
	var added []string
	defer func() {
		if err != nil {
			err = errors.Join(plain(err), j.takeBack(ctx, added))
		}
	}()
	j.say("Getting image source signatures")
	for _, b := range bundles {
		_, before := j.store.ImageByID(ctx, b.id())
		if errdefs.IsNotFound(before) {
			added = append(added, b.id())
		}
		if err := j.copy(ctx, b); err != nil {
			return transfer.Result{}, err
		}
		failpoint.Hit("load/copied")
	}
	j.say("Writing manifest to image destination")
	var result transfer.Result
	for _, b := range bundles {
		if len(b.names) > 0 {
			if err := j.store.AddNames(ctx, b.id(), b.names...); err != nil {
				return transfer.Result{}, err
			}
		}
		failpoint.Hit("load/named")
		result.Images = append(result.Images, transfer.Image{ID: b.id(), Names: b.names})
	}
	return result, nil
}

// check walks over the layers of b that the store does not have yet.
func (j *job) check(ctx context.Context, b *bundle) error {
	seen := map[string]bool{}
	for _, d := range b.layers {
		if seen[d.String()] {
			continue
		}
		seen[d.String()] = true
		r, err := b.blobs[d].open()
		if err != nil {
			return err
		}
		total, err := j.checkLayer(ctx, r, "layer "+d.String())
		if err == nil {
			err = j.named(unpacked("layer "+d.String(), total, b.blobs[d].size))
		}
		if err = errors.Join(err, r.Close()); err != nil {
			return plain(err)
		}
	}
	return nil
}

func (j *job) copy(ctx context.Context, b *bundle) (err error) {
	store, err := j.store.Raw()
	if err != nil {
		return err
	}
	to, err := storage.Transport.NewStoreReference(store, nil, b.id())
	if err != nil {
		return err
	}
	rules := accepting
	if b.transport != "" {
		rules = func() (*signature.PolicyContext, error) { return policy(nil) }
	}
	policy, err := rules()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, policy.Destroy()) }()
	// The cache knows where registries have which blobs; a local archive has no use for it, and it would be outside of
	// the store.
	sys := &types.SystemContext{BigFilesTemporaryDir: j.stage.dir, BlobInfoCacheDir: j.stage.dir}
	a := &ahead{
		job: j, store: store, src: source{bundle: b, job: j, quiet: true}, bundle: b, turns: newTurns(store.RunRoot()),
		said: map[string]bool{gettingSignatures: true},
	}
	j.stage.packed.Store(b.size())
	if takesOver(store) {
		_, err = a.fetch(ctx, sys, policy)
	}
	if err == nil && !a.complete() { // the library has the store unpack the rest
		err = j.check(ctx, b)
	}
	if err == nil {
		_, err = copy.Image(ctx, policy, to, source{bundle: b, job: j}, &copy.Options{
			RemoveSignatures: true, DestinationCtx: sys, SourceCtx: sys,
		})
	}
	if err != nil {
		a.takeBack()
		return refused(fmt.Errorf("copy image from %q to the store: %w", j.request.Source, err))
	}
	return nil
}

// takeBack removes images that this job added.
func (j *job) takeBack(ctx context.Context, ids []string) error {
	ctx, cancel := cleanup.Context(ctx)
	defer cancel()
	var failed error
	for _, id := range slices.Backward(ids) {
		if _, err := j.store.DeleteImage(ctx, id); err != nil && !errdefs.IsNotFound(err) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
