package images

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/reference"
	"hull.dev/hull/pkg/transfer"
)

// ManifestOptions is what podman-manifest-create(1), -add(1) and -annotate(1) can be asked for.
type ManifestOptions struct {
	transfer.Entry                   // what the list says of the image; annotate: what is empty stays
	All            bool              // of a list that is added all of its images
	Amend          bool              // create: a list that is there is added to
	Index          map[string]string // annotations of the list itself
	Subject        string            // annotate: what the list belongs to, an image by any of its names
	Access         transfer.Access
}

// Lists has the acts on lists of images, beside those on images, which lists are too.
type Lists struct{ *Service }

// ManifestCreate makes a list of images and returns its id; with images in it, all of them or no list. ErrAlreadyExists when
// an image has the name, unless that is a list and is to be amended.
func (s Lists) ManifestCreate(ctx context.Context, name string, refs []string, o ManifestOptions) (string, error) {
	full, err := reference.NormalizeLocal(name)
	if err != nil {
		return "", err
	}
	if full.Digest != "" {
		return "", errs.Invalid("%s: a list is called by a name and a tag, not by a digest", name)
	}
	job := transfer.List{Name: full.String(), Annotations: o.Index, References: refs, All: o.All}
	img, _, err := s.layers.Image(ctx, full.String())
	switch {
	case err == nil && !o.Amend:
		return "", errs.WithHint(errdefs.ErrAlreadyExists.WithMessage(fmt.Sprintf(
			"creating image to hold manifest list: image name %q is already associated with image %q: that name is already in use", full, img.ID,
		)), "--amend adds to a list that is there")
	case err == nil:
		if _, err := s.list(ctx, full.String()); err != nil {
			return "", err
		}
		job.ID = img.ID
	case !errdefs.IsNotFound(err):
		return "", err
	}
	if len(refs) > 0 {
		return s.addTo(ctx, job, o.Access)
	}
	if job.ID != "" {
		return job.ID, s.layers.ChangeManifestList(ctx, job.ID, func(l *layers.ManifestList) error { l.Annotate(o.Index); return nil })
	}
	l := new(layers.ManifestList)
	l.Annotate(o.Index)
	return s.layers.CreateManifestList(ctx, job.Name, l)
}

// ManifestAdd puts images into a list: all, or none. What they are called is transfer.List's to say.
func (s Lists) ManifestAdd(ctx context.Context, list string, refs []string, o ManifestOptions) (string, error) {
	img, err := s.list(ctx, list)
	if err != nil {
		return "", err
	}
	return s.addTo(ctx, transfer.List{ID: img.ID, Entry: o.Entry, References: refs, All: o.All}, o.Access)
}

func (s *Service) addTo(ctx context.Context, job transfer.List, a transfer.Access) (string, error) {
	refs := slices.Clone(job.References)
	for i, ref := range refs {
		transport, _, _ := strings.Cut(ref, ":")
		if !transfer.IsPathTransport(transport) {
			continue
		}
		var err error
		if refs[i], err = absoluteDestination(ref); err != nil {
			return "", err
		}
	}
	job.References = refs
	r := s.request(transfer.OpListAdd)
	r.List, r.Source = job, strings.Join(refs, ", ")
	var err error
	if r.Access, err = absoluteAccess(a); err != nil {
		return "", err
	}
	result, err := s.transfer.Run(ctx, r, nil, nil)
	if err != nil {
		return "", err
	}
	return result.Images[0].ID, nil
}

// list finds a list of images. ErrInvalidArgument when it is an image.
func (s *Service) list(ctx context.Context, ref string) (layers.Image, error) {
	img, name, err := s.layers.Image(ctx, ref)
	if err != nil {
		return layers.Image{}, err
	}
	is, err := s.isList(ctx, img)
	if err == nil && !is {
		err = notAList(name)
	}
	return img, err
}

func notAList(name string) error { return errs.Invalid("%s: image is not a manifest list", name) }

// isList reports whether the image is a list; only what has no layers is read for it.
func (s *Service) isList(ctx context.Context, img layers.Image) (bool, error) {
	if img.TopLayer != "" {
		return false, nil
	}
	return s.layers.IsList(ctx, img)
}

// image finds an image that has files: of a list the one for this machine, if that is here. The second result is the name
// that was found, of the list then, or an id.
func (s *Service) image(ctx context.Context, ref string) (layers.Image, string, error) {
	img, name, err := s.layers.Image(ctx, ref)
	if err != nil {
		return img, name, err
	}
	if list, err := s.isList(ctx, img); err != nil || !list {
		return img, name, nil //nolint:nilerr // reading its config tells what is wrong with it
	}
	return s.instance(ctx, img, name)
}

// instance is what image returns for a list.
func (s *Service) instance(ctx context.Context, list layers.Image, name string) (layers.Image, string, error) {
	img, err := s.layers.Instance(ctx, list)
	if err == nil && !slices.Contains(list.Names, name) {
		name = img.ID
	}
	return img, name, errs.WithHint(err, "hull manifest inspect %s shows which there are", name)
}

// ManifestExists reports whether ref means a list. ErrInvalidArgument when it means an image.
func (s Lists) ManifestExists(ctx context.Context, ref string) (bool, error) {
	_, err := s.list(ctx, ref)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// ManifestAnnotate changes what a list says of the image with a digest, or of the one that a name means in it, and returns
// the list's id. With image "" it changes the list itself alone: annotations and subject.
func (s Lists) ManifestAnnotate(ctx context.Context, list, image string, o ManifestOptions) (string, error) {
	img, err := s.list(ctx, list)
	if err != nil {
		return "", err
	}
	var digest string
	if image != "" {
		if digest, err = s.digestIn(ctx, image); err != nil {
			return "", err
		}
	}
	var subject []byte
	if o.Subject != "" {
		d, err := s.subject(ctx, o.Subject, o.Access)
		if err != nil {
			return "", err
		}
		if subject, err = json.Marshal(d); err != nil {
			return "", err
		}
	}
	return img.ID, s.layers.ChangeManifestList(ctx, img.ID, func(l *layers.ManifestList) error {
		l.Annotate(o.Index)
		if subject != nil {
			l.Subject = subject
		}
		if image == "" {
			return nil
		}
		e := l.Entry(digest)
		if e == nil {
			return notIn(digest, list)
		}
		e.Change(layers.EntryChange(o.Entry))
		return nil
	})
}

// ManifestRemove takes the image with a digest out of a list, and returns the list's id.
func (s Lists) ManifestRemove(ctx context.Context, list, digest string) (string, error) {
	img, err := s.list(ctx, list)
	if err != nil {
		return "", err
	}
	if _, err := reference.Parse("x@" + digest); err != nil {
		return "", errs.WithHint(errs.Invalid("removing from manifest list %s: invalid image digest %q", list, digest),
			"hull manifest inspect %s shows them", list)
	}
	err = s.layers.ChangeManifestList(ctx, img.ID, func(l *layers.ManifestList) error {
		if !l.Drop(digest) {
			return notIn(digest, list)
		}
		return nil
	})
	if err == nil {
		err = s.sweepListed(ctx)
	}
	return img.ID, err
}

func notIn(digest, list string) error {
	return errs.WithHint(errs.NotFound("no instance matching digest %q found in manifest list %s", digest, list),
		"hull manifest inspect %s shows which there are", list)
}

// digestIn is the digest of the manifest that image means: it is one, or a name of an image of the store, or has one.
func (s *Service) digestIn(ctx context.Context, image string) (string, error) {
	if ref, err := reference.Parse("x@" + image); err == nil {
		return ref.Digest, nil
	}
	if ref, err := reference.Parse(image); err == nil && ref.Digest != "" {
		return ref.Digest, nil
	}
	img, _, err := s.layers.Image(ctx, image)
	if errdefs.IsNotFound(err) {
		return "", errs.WithHint(errs.Invalid("invalid image digest %q", image), "a digest, or an image that is here, names one of the list")
	}
	return img.Digest, err
}

// ManifestRm removes lists. What is an image is an error, and nothing is removed then.
func (s Lists) ManifestRm(ctx context.Context, refs []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error) {
	for _, ref := range refs {
		if _, err := s.list(ctx, ref); err != nil && (!o.Ignore || !errdefs.IsNotFound(err)) {
			return nil, s.swept(ctx, []error{err}) // a killed command may have removed it
		}
	}
	return s.Remove(ctx, refs, o)
}

// ManifestInspect returns the JSON of a list of the store, or of the manifest that a registry has, which is not stored.
func (s Lists) ManifestInspect(ctx context.Context, ref string, a transfer.Access) ([]byte, error) {
	img, err := s.list(ctx, strings.TrimPrefix(ref, "containers-storage:"))
	if err == nil {
		l, err := s.layers.ManifestList(ctx, img)
		if err != nil {
			return nil, err
		}
		return json.Marshal(l)
	}
	if !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err) {
		return nil, err
	}
	data, err := s.manifestOf(ctx, ref, a)
	return bytes.TrimSpace(data), err
}

// manifestOf reads the manifest that a reference means, where it is.
func (s *Service) manifestOf(ctx context.Context, ref string, a transfer.Access) (_ []byte, err error) {
	r := s.request(transfer.OpListInspect)
	r.Source = ref
	transport, _, _ := strings.Cut(ref, ":")
	if transfer.IsPathTransport(transport) {
		if ref, err = absoluteDestination(ref); err != nil {
			return nil, err
		}
	}
	r.List.References = []string{ref}
	if r.Access, err = absoluteAccess(a); err != nil {
		return nil, err
	}
	result, err := s.transfer.Run(ctx, r, nil, nil)
	return result.Manifest, err
}
