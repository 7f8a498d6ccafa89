package registry

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// artifactPull fetches an artifact: into a layout beside the store, and from there, when it is whole, into the store.
func (j *job) artifactPull(ctx context.Context) (transfer.Result, error) {
	p := &j.request.Pull
	sys := j.system(j.request.Access)
	sys.OCIAcceptUncompressedLayers = true // files are what they are
	found, err := resolve(sys, strings.TrimPrefix(p.Reference, "docker://"), "")
	if err != nil {
		return transfer.Result{}, err
	}
	if found.enforced {
		return transfer.Result{}, errs.WithHint(errs.Invalid("short-name resolution enforced but cannot prompt without a TTY"),
			"write the registry too: %s", found.candidates[0].name)
	}
	var failed []error
	for _, c := range found.candidates {
		name := reference.TagNameOnly(c.name)
		j.say(fmt.Sprintf("Trying to pull %s...", name))
		digest, err := j.artifactFetch(ctx, sys, name)
		if err == nil || ctx.Err() != nil {
			return transfer.Result{Digest: digest}, err
		}
		failed = append(failed, explained(err, name))
	}
	if len(failed) == 1 || found.joined == nil {
		return transfer.Result{}, failed[0]
	}
	return transfer.Result{}, &severalError{failed, found.joined(failed)}
}

// artifactFetch fetches one and returns the digest of its manifest.
func (j *job) artifactFetch(ctx context.Context, sys *types.SystemContext, name reference.Named) (digest string, err error) {
	if sys, err = guarded(sys, name); err != nil {
		return "", err
	}
	from, err := docker.NewReference(name)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(j.stage.dir, "artifact")
	to, err := layout.NewReference(dir, name.String())
	if err != nil {
		return "", err
	}
	policy, err := policy(sys)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, policy.Destroy()) }()
	keys, err := decryption(j.request.Pull.Keys)
	if err != nil {
		return "", err
	}
	o := copy.Options{
		SourceCtx: sys, DestinationCtx: sys, OciDecryptConfig: keys, PreserveDigests: keys == nil, RemoveSignatures: true,
		MaxParallelDownloads: j.request.Pull.Parallel,
	}
	store := artifacts.At(j.store.GraphRoot())
	err = store.Update(ctx, func(t *artifacts.Tx) error {
		if err := t.Lend(dir); err != nil {
			return err
		}
		err := j.again(ctx, func() error {
			_, err := j.copyWith(ctx, policy, from, to, o)
			return err
		})
		if err != nil {
			return err
		}
		d, err := layout.LoadManifestDescriptor(to)
		if err != nil {
			return err
		}
		digest = d.Digest.String()
		if err := t.Take(dir, d); err != nil {
			return err
		}
		t.Set(name.String(), d)
		return nil
	})
	return digest, err
}

// artifactPush sends an artifact of the store to a registry as it is.
func (j *job) artifactPush(ctx context.Context) (_ transfer.Result, err error) {
	store := artifacts.At(j.store.GraphRoot())
	a, err := store.Find(ctx, j.request.Artifact)
	if err != nil {
		return transfer.Result{}, err
	}
	if a.Name == "" {
		return transfer.Result{}, errs.Invalid("artifact %s has no name, which is where it would go", a.Digest)
	}
	from, err := layout.NewReference(store.Dir(), a.Name)
	if err != nil {
		return transfer.Result{}, err
	}
	to, name, err := j.locate(ctx, "docker://"+a.Name)
	if err != nil {
		return transfer.Result{}, err
	}
	if j.request.Push.SignBy != "" {
		if err := j.canSign(ctx, to); err != nil {
			return transfer.Result{}, err
		}
	}
	sys, err := guarded(j.system(j.request.Access), name)
	if err != nil {
		return transfer.Result{}, err
	}
	o, err := j.pushOptions(sys)
	if err != nil {
		return transfer.Result{}, err
	}
	defer func() {
		for _, s := range o.Signers {
			err = errors.Join(err, s.Close())
		}
	}()
	o.PreserveDigests = true
	var written []byte
	err = j.copying(ctx, name, func() error {
		return j.again(ctx, func() error {
			written, err = j.copyFrom(ctx, from, to, *o)
			if err == nil && j.request.Push.SignBy != "" {
				err = j.signPushed(ctx, sys, to, written)
			}
			return err
		})
	})
	if err != nil {
		if ctx.Err() == nil {
			err = explained(err, name)
		}
		return transfer.Result{}, err
	}
	d, err := manifest.Digest(written)
	return transfer.Result{Digest: d.String()}, err
}
