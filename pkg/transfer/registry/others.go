package registry

import (
	"context"
	"errors"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker/archive"
	"go.podman.io/image/v5/docker/daemon"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/sif"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	local "hull.dev/hull/pkg/reference"
	"hull.dev/hull/pkg/transfer"
)

// others are the transports beside registries and the store, from containers-transports(5).
func others() []types.ImageTransport {
	return []types.ImageTransport{
		directory.Transport, archive.Transport, daemon.Transport, ociarchive.Transport, layout.Transport, sif.Transport,
	}
}

// pullOther fetches an image that is in no registry.
func (j *job) pullOther(ctx context.Context, sys *types.SystemContext, transport, details string) (transfer.Result, error) {
	if transport == storage.Transport.Name() {
		return j.pullStored(ctx, sys, details)
	}
	if transport == archive.Transport.Name() && !strings.Contains(details, ":") { // all images in it
		j.request.Path, j.request.Source = details, details
		return j.load(ctx)
	}
	for _, t := range others() {
		if t.Name() != transport {
			continue
		}
		src, err := t.ParseReference(details)
		if err != nil {
			return transfer.Result{}, errs.Invalid("%s:%s: %v", transport, details, err)
		}
		img, err := j.pullFile(ctx, sys, src)
		if err != nil {
			return transfer.Result{}, explainedFile(err, src)
		}
		return transfer.Result{Images: []transfer.Image{img}}, nil
	}
	return transfer.Result{}, errs.Invalid("no transport is called %q", transport)
}

// pullFile fetches the image of an archive, a folder or docker. One without a name is named by its config.
func (j *job) pullFile(ctx context.Context, sys *types.SystemContext, src types.ImageReference) (img transfer.Image, err error) {
	f := fetch{src: src}
	if f.name, err = nameOf(sys, src); err != nil {
		return img, err
	}
	if f.name == nil {
		opened, err := src.NewImageSource(ctx, sys)
		if err != nil {
			return img, err
		}
		defer opened.Close()
		once := newShared(opened)
		if src.Transport() == sif.Transport { // to open it is most of the work; of others a shared one would hide sigstore's signatures
			f.src = shared{src, once}
		}
		if f.id, err = idOf(ctx, sys, once); err != nil {
			return img, err
		}
	} else {
		img.Names = []string{f.name.String()}
	}
	img.ID, err = j.fetch(ctx, sys, f)
	return img, err
}

// pullStored finds an image of this store, of which there is nothing to fetch, or copies one of another store.
func (j *job) pullStored(ctx context.Context, sys *types.SystemContext, details string) (transfer.Result, error) {
	store, ref, err := j.storeOf(details, false)
	if err != nil {
		return transfer.Result{}, err
	}
	img, name, err := store.Image(ctx, ref)
	if err != nil {
		return transfer.Result{}, err
	}
	result := transfer.Result{Images: []transfer.Image{{ID: img.ID, Names: []string{name}}}}
	if store == j.store {
		return result, nil
	}
	var f fetch
	if slices.Contains(img.Names, name) {
		f.name, err = named(name)
	} else {
		f.id, result.Images[0].Names = img.ID, nil
	}
	if err != nil {
		return transfer.Result{}, err
	}
	raw, err := store.Raw()
	if err != nil {
		return transfer.Result{}, err
	}
	if f.src, err = storage.Transport.NewStoreReference(raw, f.name, img.ID); err != nil {
		return transfer.Result{}, err
	}
	if result.Images[0].ID, err = j.fetch(ctx, sys, f); err != nil {
		return transfer.Result{}, explained(err, nil)
	}
	return result, nil
}

// nameOf is the name that the image has where it comes from, or nil.
func nameOf(sys *types.SystemContext, src types.ImageReference) (reference.Named, error) {
	text := ""
	switch src.Transport().Name() {
	case archive.Transport.Name(), daemon.Transport.Name():
		if src.DockerReference() == nil {
			return nil, nil //nolint:nilnil // it has none
		}
		text = src.DockerReference().String()
	case layout.Transport.Name():
		_, text, _ = strings.Cut(src.StringWithinTransport(), ":")
	case ociarchive.Transport.Name():
		d, err := ociarchive.LoadManifestDescriptorWithContext(sys, src)
		if err != nil {
			return nil, err
		}
		text = d.Annotations[v1.AnnotationRefName]
	}
	if text == "" {
		return nil, nil //nolint:nilnil // it has none
	}
	full, err := local.NormalizeLocal(text)
	if err != nil {
		return nil, err
	}
	return named(full.String())
}

// idOf is the id that an image without a name gets: the digest of its config.
func idOf(ctx context.Context, sys *types.SystemContext, src types.ImageSource) (_ string, err error) {
	img, err := image.FromSource(ctx, sys, src)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, img.Close()) }()
	d := img.ConfigInfo().Digest
	if d.Validate() != nil { // schema 1 has none
		return "", errors.New("the image has no config to name it by")
	}
	return d.Encoded(), nil
}
