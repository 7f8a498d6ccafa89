package registry

import (
	"context"
	"errors"
	"fmt"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/gpg"
)

// mechanism lets the library make its signatures with gpg(1): the one that it brings along, in Go, only verifies.
type mechanism struct {
	signature.SigningMechanism
	ctx    context.Context //nolint:containedctx // the library's interface has none, and this value lives for one call
	signer gpg.Signer
}

// SupportsSigning is the library's question.
func (m *mechanism) SupportsSigning() error { return nil }

// Sign signs with the signer's key, which keyIdentity is.
func (m *mechanism) Sign(input []byte, _ string) ([]byte, error) { return m.signer.Sign(m.ctx, input) }

// signGPG signs the manifest as the image to and adds the signature to those that are there, or puts it
// in their place: to the registry, or where
// registries.d says (containers-registries.d(5)).
func (j *job) signGPG(ctx context.Context, sys *types.SystemContext, to types.ImageReference, written []byte) (err error) {
	p := &j.request.Push
	d, err := manifest.Digest(written)
	if err != nil {
		return err
	}
	j.say("Creating signature: Signing image using simple signing")
	verifier, err := signature.NewGPGSigningMechanism()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, verifier.Close()) }()
	m := &mechanism{verifier, ctx, gpg.Signer{Key: p.SignBy, Passphrase: p.Passphrase}}
	made, err := signature.SignDockerManifest(written, to.DockerReference().String(), m, p.SignBy)
	if err != nil {
		return err
	}
	source, err := to.NewImageSource(ctx, sys)
	if err != nil {
		return fmt.Errorf("store the signature: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	var all [][]byte
	if !p.RemoveSignatures {
		if all, err = source.GetSignatures(ctx, &d); err != nil {
			return fmt.Errorf("read the signatures that the image has: %w", err)
		}
	}
	dest, err := to.NewImageDestination(ctx, sys)
	if err != nil {
		return fmt.Errorf("store the signature: %w", err)
	}
	defer func() { err = errors.Join(err, dest.Close()) }()
	j.say("Storing signatures")
	if err := dest.PutSignatures(ctx, append(all, made), &d); err != nil {
		return fmt.Errorf("store the signature: %w", err)
	}
	return nil
}

// canSign tells before the work that a signature has no place, or gpg no such key.
func (j *job) canSign(ctx context.Context, to types.ImageReference) error {
	if to.Transport().Name() != docker.Transport.Name() {
		return errs.WithHint(errs.NotBuilt("--sign-by for the transport "+to.Transport().Name()), "images in registries can be signed with GnuPG keys")
	}
	return gpg.Signer{Key: j.request.Push.SignBy}.Check(ctx)
}
