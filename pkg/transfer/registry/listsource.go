package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// listSource shows a list of the store to go.podman.io/image as one source, though each of its images is somewhere else.
// What it is not asked for differently, it says as the source of an archive does.
type listSource struct {
	source
	data      []byte // of the list
	mediaType string
	places    map[digest.Digest]*place // of the images

	mu    sync.Mutex
	blobs map[digest.Digest]*place // where the blobs are that manifests told of
}

// place is where an image is: at an origin by itself, or in a list there.
type place struct {
	*origin
	instance *digest.Digest // in a list; nil: the origin is the image
}

// copyList copies a list of the store, with its images when all are wanted, and returns the manifest that was written.
func (j *job) copyList(ctx context.Context, id string, to types.ImageReference, o copy.Options) (_ []byte, err error) {
	img, err := j.store.ImageByID(ctx, id)
	if err != nil {
		return nil, err
	}
	list, err := j.store.ManifestList(ctx, img)
	if err != nil {
		return nil, err
	}
	data, mediaType, err := j.store.Manifest(ctx, img)
	if err != nil {
		return nil, err
	}
	s := &listSource{
		source: source{job: j}, data: data, mediaType: mediaType,
		places: map[digest.Digest]*place{}, blobs: map[digest.Digest]*place{},
	}
	o.ImageListSelection = copy.CopySpecificImages
	if j.request.Push.AllImages {
		o.ImageListSelection = copy.CopyAllImages
		opened := map[string]*origin{}
		defer func() {
			for _, o := range opened {
				err = errors.Join(err, o.Close())
			}
		}()
		for _, e := range list.Manifests {
			d := digest.Digest(e.Digest)
			if err := d.Validate(); err != nil {
				return nil, errs.Invalid("the list names an image %q, which is no digest", e.Digest)
			}
			if s.places[d], err = j.placeOf(ctx, opened, list.Sources[e.Digest], d); err != nil {
				return nil, fmt.Errorf("image %s of the list: %w", d, err)
			}
		}
	}
	return j.copyFrom(ctx, s, to, o)
}

// placeOf finds the image with the digest where it came from. An image of the store may have lost the name that it had
// then, and one of which nothing is known may be there.
func (j *job) placeOf(ctx context.Context, opened map[string]*origin, where string, d digest.Digest) (*place, error) {
	stored := storage.Transport.Name() + ":"
	if where != "" {
		p, err := j.findAt(ctx, opened, where, d)
		if err == nil || !strings.HasPrefix(where, stored) {
			return p, err
		}
	}
	p, err := j.findAt(ctx, opened, stored+d.String(), d)
	if errdefs.IsNotFound(err) {
		err = errs.WithHint(errs.NotFound("it is no longer where it came from (%s)", cmp.Or(where, "unknown")), "hull manifest add names it anew")
	}
	return p, err
}

// findAt opens where, unless that is open, and finds the image there.
func (j *job) findAt(ctx context.Context, opened map[string]*origin, where string, d digest.Digest) (*place, error) {
	o := opened[where]
	if o == nil {
		var err error
		if o, err = j.originAt(ctx, j.system(j.accessTo(where)), where); err != nil {
			return nil, err
		}
		opened[where] = o
	}
	p, err := o.find(ctx, d)
	if err != nil {
		return nil, explained(err, o.name)
	}
	return p, nil
}

// accessTo is the request's access for what an image of the list is read from: the credentials and certificates are those
// of the registry that the list goes to, and no other's business.
func (j *job) accessTo(where string) transfer.Access {
	a := j.request.Access
	if host := hostOf(where); host == "" || host != hostOf(j.request.Push.Destination) {
		a.User, a.Password, a.CertDir = "", "", ""
	}
	return a
}

// hostOf is the registry of TRANSPORT:DETAILS, or "".
func hostOf(text string) string {
	transport, details, _ := cutTransport(text)
	if transport != docker.Transport.Name() {
		return ""
	}
	name, err := named(strings.TrimPrefix(details, "//"))
	if err != nil {
		return ""
	}
	return reference.Domain(name)
}

// find is where in the origin the image with the digest is.
func (o *origin) find(ctx context.Context, d digest.Digest) (*place, error) {
	top, _, err := o.GetManifest(ctx, nil)
	if err != nil {
		return nil, err
	}
	if got, err := manifest.Digest(top); err == nil && got == d {
		return &place{o, nil}, nil
	}
	inner, _, err := o.GetManifest(ctx, &d)
	if err != nil {
		return nil, err
	}
	if ok, err := manifest.MatchesDigest(inner, d); err != nil || !ok {
		return nil, errors.Join(err, errs.NotFound("%s has no image %s", o.where, d))
	}
	return &place{o, &d}, nil
}

// Reference is the source itself.
func (s *listSource) Reference() types.ImageReference { return s }

// NewImage is what types.ImageReference asks for.
func (s *listSource) NewImage(ctx context.Context, sys *types.SystemContext) (types.ImageCloser, error) {
	return image.FromSource(ctx, sys, s)
}

// NewImageSource is the source itself.
func (s *listSource) NewImageSource(context.Context, *types.SystemContext) (types.ImageSource, error) {
	return s, nil
}

// HasThreadSafeGetBlob reports whether all images can be read at several places at once.
func (s *listSource) HasThreadSafeGetBlob() bool {
	for _, p := range s.places {
		if !p.HasThreadSafeGetBlob() {
			return false
		}
	}
	return true
}

func (s *listSource) place(d digest.Digest) (*place, error) {
	if p := s.places[d]; p != nil {
		return p, nil
	}
	return nil, errs.NotFound("the list has no image %s", d)
}

// GetManifest returns the list's, or that of an image in it.
func (s *listSource) GetManifest(ctx context.Context, instance *digest.Digest) ([]byte, string, error) {
	if instance == nil {
		return s.data, s.mediaType, nil
	}
	p, err := s.place(*instance)
	if err != nil {
		return nil, "", err
	}
	data, mediaType, err := p.GetManifest(ctx, p.instance)
	if err != nil {
		return nil, "", err
	}
	m, err := manifest.FromBlob(data, mediaType)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[m.ConfigInfo().Digest] = p
	for _, l := range m.LayerInfos() {
		s.blobs[l.Digest] = p
	}
	return data, mediaType, nil
}

// LayerInfosForCopy is what the image's origin says of its layers: the store has them as plain tars.
func (s *listSource) LayerInfosForCopy(ctx context.Context, instance *digest.Digest) ([]types.BlobInfo, error) {
	if instance == nil {
		return nil, nil
	}
	p, err := s.place(*instance)
	if err != nil {
		return nil, err
	}
	infos, err := p.LayerInfosForCopy(ctx, p.instance)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range infos {
		s.blobs[i.Digest] = p
	}
	return infos, err
}

// GetBlob opens a blob where the image is that told of it.
func (s *listSource) GetBlob(ctx context.Context, info types.BlobInfo, cache types.BlobInfoCache) (io.ReadCloser, int64, error) {
	s.mu.Lock()
	p := s.blobs[info.Digest]
	s.mu.Unlock()
	if p == nil {
		return nil, 0, errs.NotFound("no image of the list has a blob %s", info.Digest)
	}
	return p.GetBlob(ctx, info, cache)
}

// GetSignatures returns those of an image; a list of the store has none.
func (s *listSource) GetSignatures(ctx context.Context, instance *digest.Digest) ([][]byte, error) {
	if instance == nil {
		return nil, nil
	}
	p, err := s.place(*instance)
	if err != nil {
		return nil, err
	}
	return p.GetSignatures(ctx, p.instance)
}
