package registry

import (
	"context"
	"errors"
	"fmt"

	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// inspect reads what an image says of itself where it is.
func (j *job) inspect(ctx context.Context) (_ transfer.Result, err error) {
	p := &j.request.Pull
	sys := j.system(j.request.Access)
	sys.OSChoice, sys.ArchitectureChoice, sys.VariantChoice = p.OS, p.Arch, p.Variant
	o, err := j.originAt(ctx, sys, p.Reference)
	if err != nil {
		return transfer.Result{}, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	remote, err := j.remote(ctx, o)
	if err != nil {
		return transfer.Result{}, explained(fmt.Errorf("%s: %w", p.Reference, err), o.name)
	}
	return transfer.Result{Remote: remote}, nil
}

func (j *job) remote(ctx context.Context, o *origin) (*transfer.Remote, error) {
	instance, err := instanceFor(ctx, o.sys, o)
	if err != nil {
		return nil, err
	}
	unparsed := image.UnparsedInstance(o.ImageSource, instance)
	r := new(transfer.Remote)
	if r.Manifest, r.MediaType, err = unparsed.Manifest(ctx); err != nil {
		return nil, err
	}
	found := [][]byte{r.Manifest}
	if instance != nil {
		list, _, err := image.UnparsedInstance(o.ImageSource, nil).Manifest(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, list)
	}
	for _, data := range found {
		d, err := manifest.Digest(data)
		if err != nil {
			return nil, err
		}
		r.Digests = append(r.Digests, d.String())
	}
	img, err := image.FromUnparsedImage(ctx, o.sys, unparsed)
	if err != nil {
		return nil, err
	}
	if _, err := img.OCIConfig(ctx); err != nil {
		if _, artifact := errors.AsType[manifest.NonImageArtifactError](err); artifact {
			err = errs.WithHint(errs.Invalid("it is an artifact and not an image"), "hull manifest inspect %s shows what it is", j.request.Pull.Reference)
		}
		return nil, err
	}
	if r.ID = img.ConfigInfo().Digest.Encoded(); r.ID == "" {
		return nil, errs.Invalid("an image of Docker's schema 1 has no config")
	}
	if r.Config, err = img.ConfigBlob(ctx); err != nil {
		return nil, err
	}
	if n := len(r.Manifest) + len(r.Config); n > maxAnswer {
		return nil, errs.Invalid("its manifest and config have %d bytes, which is more than the %d that are shown", n, maxAnswer)
	}
	for _, l := range img.LayerInfos() {
		r.Size += max(0, l.Size)
	}
	if o.name != nil {
		r.Name = reference.TagNameOnly(o.name).String()
	}
	return r, nil
}
