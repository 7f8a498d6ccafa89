package registry

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
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

// signGPG makes a signature of a manifest under a name.
func signGPG(ctx context.Context, s gpg.Signer, data []byte, name string) (_ []byte, err error) {
	verifier, err := signature.NewGPGSigningMechanism()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, verifier.Close()) }()
	return signature.SignDockerManifest(data, name, &mechanism{verifier, ctx, s}, s.Key)
}

// signable is a manifest to sign; instance is nil for the one that the name of the image leads to, also a list.
type signable struct {
	data     []byte
	digest   digest.Digest
	instance *digest.Digest
}

// signables are the manifest and, of a list with its images, theirs. What a source hands out as an image of the list is
// signed only if it is that.
func signables(ctx context.Context, source types.ImageSource, top []byte, withImages bool) ([]signable, error) {
	d, err := manifest.Digest(top)
	if err != nil {
		return nil, err
	}
	all := []signable{{top, d, nil}}
	kind := manifest.GuessMIMEType(top)
	if !withImages || !manifest.MIMETypeIsMultiImage(kind) {
		return all, nil
	}
	list, err := manifest.ListFromBlob(top, kind)
	if err != nil {
		return nil, err
	}
	for _, d := range list.Instances() {
		data, _, err := source.GetManifest(ctx, &d)
		if err != nil {
			return nil, fmt.Errorf("read the manifest %s of the list: %w", d, err)
		}
		if ok, err := manifest.MatchesDigest(data, d); err != nil || !ok {
			return nil, errors.Join(err, errs.Invalid("the manifest that is there as %s is another one, and is not signed", d))
		}
		all = append(all, signable{data, d, &d})
	}
	return all, nil
}

// signPushed signs the manifest that was written to an image's place, and those of its images when it is a list that was
// copied with them: a registry's where registries.d says (containers-registries.d(5)), a folder's in it.
func (j *job) signPushed(ctx context.Context, sys *types.SystemContext, to types.ImageReference, written []byte) (err error) {
	p := &j.request.Push
	j.say("Creating signature: Signing image using simple signing")
	source, err := to.NewImageSource(ctx, sys)
	if err != nil {
		return fmt.Errorf("store the signature: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	all, err := signables(ctx, source, written, p.AllImages)
	if err != nil {
		return err
	}
	name := p.SignAs
	if named := to.DockerReference(); named != nil {
		name = named.String()
	}
	j.say("Storing signatures")
	for _, s := range all {
		made, err := signGPG(ctx, gpg.Signer{Key: p.SignBy, Passphrase: p.Passphrase}, s.data, name)
		if err != nil {
			return err
		}
		if to.Transport().Name() == directory.Transport.Name() {
			err = addSignature(folderSignature(to.StringWithinTransport(), s.instance), made)
		} else {
			err = j.whileSigning(ctx, to.DockerReference(), func() error { return j.putSignature(ctx, sys, to, source, s.digest, made) })
		}
		if err != nil {
			return fmt.Errorf("store the signature: %w", err)
		}
		failpoint.Hit("push/signed")
	}
	return nil
}

// putSignature adds a signature to those that the image with the digest has, or puts it in their place.
func (j *job) putSignature(ctx context.Context, sys *types.SystemContext, to types.ImageReference, source types.ImageSource, d digest.Digest, made []byte) (err error) {
	var all [][]byte
	if !j.request.Push.RemoveSignatures {
		if all, err = source.GetSignatures(ctx, &d); err != nil {
			return fmt.Errorf("read the signatures that the image has: %w", err)
		}
	}
	dest, err := to.NewImageDestination(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dest.Close()) }()
	return dest.PutSignatures(ctx, append(all, made), &d)
}

// folderSignature is how a folder of the transport dir: calls the signatures of the image in it, or of one of its list
// (github.com/containers/image, directory).
func folderSignature(folder string, instance *digest.Digest) func(n int) string {
	prefix := ""
	if instance != nil {
		prefix = instance.Encoded() + "."
		if instance.Algorithm() != digest.Canonical {
			prefix = instance.Algorithm().String() + "-" + prefix
		}
	}
	return func(n int) string { return filepath.Join(folder, fmt.Sprintf("%ssignature-%d", prefix, n)) }
}

// canSign tells before the work that a signature has no place, or gpg no such key.
func (j *job) canSign(ctx context.Context, to types.ImageReference) error {
	switch name := to.Transport().Name(); name {
	case docker.Transport.Name(), directory.Transport.Name():
		return gpg.Signer{Key: j.request.Push.SignBy}.Check(ctx)
	default:
		return errs.WithHint(errs.NotBuilt("--sign-by for the transport "+name),
			"its images have no place for a GnuPG signature; those of registries and dir: have one")
	}
}
