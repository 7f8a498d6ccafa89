package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/gpg"
	local "hull.dev/hull/pkg/reference"
)

// sign signs images where they are, one after the other, and writes a file for each signature: a lookaside store, which
// registries.d tells the readers of (containers-registries.d(5)).
func (j *job) sign(ctx context.Context) error {
	if err := (gpg.Signer{Key: j.request.Sign.Key}).Check(ctx); err != nil {
		return err
	}
	for _, text := range j.request.Sign.References {
		if err := j.signImage(ctx, text); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return err
		}
	}
	return nil
}

func (j *job) signImage(ctx context.Context, text string) (err error) {
	o := &j.request.Sign
	if _, _, ok := cutTransport(text); !ok {
		if ref, err := local.Parse(text); err != nil || ref.Short() {
			return errs.WithHint(errs.Invalid("image %q is not named with its registry, and the name is what is signed", text), "hull image sign HOST/NAME:TAG")
		}
		text = docker.Transport.Name() + "://" + text
	}
	sys := j.system(j.request.Access)
	source, err := j.originAt(ctx, sys, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	name, err := j.signedName(ctx, source, text)
	if err != nil {
		return err
	}
	place, err := j.lookaside(sys, name)
	if err != nil {
		return err
	}
	top, kind, err := source.GetManifest(ctx, nil)
	if err != nil {
		return explained(err, source.name)
	}
	if o.All && !manifest.MIMETypeIsMultiImage(kind) {
		return errs.WithHint(errs.Invalid("%s is not a multi-architecture image (manifest type %s)", text, kind), "without --all it is signed")
	}
	all, err := signables(ctx, source, top, o.All)
	if err != nil {
		return explained(err, source.name)
	}
	for _, s := range all {
		made, err := signGPG(ctx, gpg.Signer{Key: o.Key}, s.data, name.String())
		if err != nil {
			return err
		}
		folder := fmt.Sprintf("%s@%s=%s", place, s.digest.Algorithm(), s.digest.Encoded())
		err = j.whileSigning(ctx, name, func() error {
			return addSignature(func(n int) string { return filepath.Join(folder, fmt.Sprintf("signature-%d", n)) }, made)
		})
		if err != nil {
			return fmt.Errorf("store the signature: %w", err)
		}
		failpoint.Hit("sign/written")
	}
	return nil
}

// signedName is what an image is called where it is: a signature is of a manifest under a name.
func (j *job) signedName(ctx context.Context, source *origin, text string) (reference.Named, error) {
	transport, details, _ := cutTransport(text)
	if transport == storage.Transport.Name() {
		store, details, err := j.storeOf(details, false)
		if err != nil {
			return nil, err
		}
		img, full, err := store.Image(ctx, details)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(img.ID, strings.TrimPrefix(full, "sha256:")) {
			return named(full)
		}
	} else if name := source.Reference().DockerReference(); name != nil {
		return name, nil
	}
	return nil, errs.WithHint(errs.Invalid("%s: the image has no name there, and the name is what is signed", text), "hull push --sign-by signs what it copies")
}

// lookaside is the folder, without the digest, that the signatures of an image belong in.
func (j *job) lookaside(sys *types.SystemContext, name reference.Named) (string, error) {
	if folder := j.request.Sign.Directory; folder != "" {
		return filepath.Join(folder, reference.Path(name)), nil
	}
	ref, err := docker.NewReference(reference.TagNameOnly(name))
	if err != nil {
		return "", err
	}
	u, err := docker.SignatureStorageBaseURL(sys, ref, true)
	if err != nil {
		return "", err
	}
	if u.Scheme != "file" {
		return "", errs.WithHint(errs.Invalid("signatures of %s belong at %s, where hull cannot write", name, u.Redacted()),
			"lookaside-staging: file:///FOLDER in registries.d names where they are written, or --directory")
	}
	return u.Path, nil
}

// addSignature writes a signature to the first of its paths, counted from 1, that is free: readers stop at the first that
// is. Everybody may read it, whose folder lets him: signatures are published.
func addSignature(path func(n int) string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path(1)), 0o755); err != nil {
		return err
	}
	p, err := atomicfile.New(path(1), 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if _, err := p.Write(data); err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err := p.CommitNew(path(n)); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}
