package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/archive"
	"go.podman.io/image/v5/docker/daemon"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/manifest"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/pkg/compression"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// push copies an image of the store to a registry, or to where the transport says. What the registry has already, under
// this name or one that the library can have it mounted from, is not sent again.
func (j *job) push(ctx context.Context) (_ transfer.Result, err error) {
	o := &j.request.Push
	sys := j.system(j.request.Access)
	to, err := j.destination(o.Destination)
	if err != nil {
		return transfer.Result{}, err
	}
	if o.SignBy != "" {
		if err := j.canSign(ctx, to); err != nil {
			return transfer.Result{}, err
		}
	}
	var name reference.Named
	if to.Transport().Name() == docker.Transport.Name() {
		name = to.DockerReference()
		if sys, err = guarded(sys, name); err != nil {
			return transfer.Result{}, err
		}
		sys = j.watched(sys)
	}
	options, err := j.pushOptions(sys)
	if err != nil {
		return transfer.Result{}, err
	}
	defer func() {
		for _, s := range options.Signers {
			err = errors.Join(err, s.Close())
		}
	}()
	if to.Transport().Name() == directory.Transport.Name() && o.SigstoreKey+o.SigstoreParameters != "" {
		if options.SignIdentity, err = reference.ParseNormalizedNamed(o.SignAs); err != nil {
			return transfer.Result{}, errs.Invalid("%q is no name that could be signed: %v", o.SignAs, err)
		}
	}
	var written []byte
	err = j.copying(ctx, name, func() error {
		return j.again(ctx, func() (err error) {
			written, err = j.pushOnce(ctx, to, *options)
			return err
		})
	})
	if err != nil {
		switch {
		case ctx.Err() != nil:
		case to.Transport() == daemon.Transport:
			err = explainedFile(err, to)
		default:
			err = explained(err, name)
		}
		return transfer.Result{}, err
	}
	d, err := manifest.Digest(written)
	if err != nil {
		return transfer.Result{}, err
	}
	return transfer.Result{Images: []transfer.Image{{ID: o.ID}}, Digest: d.String()}, nil
}

// pushOnce copies the image or list, and has gpg sign what is there then.
func (j *job) pushOnce(ctx context.Context, to types.ImageReference, options copy.Options) (written []byte, err error) {
	o := &j.request.Push
	if o.List {
		written, err = j.copyList(ctx, o.ID, to, options)
	} else {
		written, err = j.copyOut(ctx, o.ID, to, options)
	}
	if err == nil && o.SignBy != "" {
		err = j.signPushed(ctx, options.DestinationCtx, to, written)
	}
	return written, err
}

// destination reads TRANSPORT:DETAILS.
func (j *job) destination(text string) (types.ImageReference, error) {
	name, details, _ := strings.Cut(text, ":")
	if name == storage.Transport.Name() {
		other, details, err := j.storeOf(details, true)
		if err != nil {
			return nil, err
		}
		store, err := other.Raw()
		if err != nil {
			return nil, err
		}
		to, err := storage.Transport.ParseStoreReference(store, details)
		if err != nil {
			return nil, errs.Invalid("invalid destination %q: %v", text, err)
		}
		return to, nil
	}
	for _, t := range []types.ImageTransport{
		docker.Transport, directory.Transport, archive.Transport, daemon.Transport, ociarchive.Transport, layout.Transport,
	} {
		if t.Name() != name {
			continue
		}
		to, err := t.ParseReference(details)
		if err != nil {
			return nil, errs.Invalid("invalid destination %q: %v", text, err)
		}
		return to, nil
	}
	return nil, errs.Invalid("invalid destination %q: images cannot be pushed to the transport %q", text, name)
}

// manifestTypes are the values of --format.
func manifestTypes() map[string]string {
	return map[string]string{
		"": "", "oci": v1.MediaTypeImageManifest, "v2s1": manifest.DockerV2Schema1SignedMediaType, "v2s2": manifest.DockerV2Schema2MediaType,
	}
}

// pushOptions is the request in the library's words. Its signers are the caller's to close.
func (j *job) pushOptions(sys *types.SystemContext) (*copy.Options, error) {
	o := &j.request.Push
	sys.DirForceCompress = o.Compress
	sys.CompressionLevel = o.CompressionLevel
	if o.Compression != "" {
		algorithm, err := compression.AlgorithmByName(o.Compression)
		if err != nil {
			return nil, errs.Invalid("%v", err)
		}
		sys.CompressionFormat = &algorithm
	}
	mediaType, ok := manifestTypes()[o.Format]
	if !ok {
		return nil, errs.Invalid("hull-image does not know the format %q", o.Format)
	}
	c := &copy.Options{
		DestinationCtx: sys, SourceCtx: sys,
		RemoveSignatures: o.RemoveSignatures, ForceManifestMIMEType: mediaType, ForceCompressionFormat: o.ForceCompression,
		SignBySigstorePrivateKeyFile: o.SigstoreKey,
	}
	if o.SigstoreKey != "" {
		c.SignSigstorePrivateKeyPassphrase = o.Passphrase
	}
	for _, name := range o.Additional {
		algorithm, err := compression.AlgorithmByName(name)
		if err != nil {
			return nil, errs.Invalid("%v", err)
		}
		c.EnsureCompressionVariantsExist = append(c.EnsureCompressionVariantsExist, copy.OptionCompressionVariant{Algorithm: algorithm, Level: o.CompressionLevel})
	}
	if err := encryption(c, o.EncryptionKeys, o.EncryptLayers); err != nil {
		return nil, err
	}
	if o.SigstoreParameters != "" {
		s, err := sigstoreSigner(o.SigstoreParameters, o.Passphrase)
		if err != nil {
			return nil, fmt.Errorf("--sign-by-sigstore: %w", err)
		}
		c.Signers = append(c.Signers, s)
	}
	return c, nil
}
