package layers

import (
	"context"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/reference"
)

// Image finds the image that ref means, by podman's rules and in podman's order: a whole id or sha256:ID; the names that
// a short name stands for (localhost/, then docker.io); a prefix of an id; then any image whose name ends in ref at a
// slash. The second result is the name that was found, or ref when it was an id. ErrNotFound has podman's words.
func (s *Store) Image(ctx context.Context, ref string) (Image, string, error) {
	store, err := s.images(ctx)
	if err != nil {
		return Image{}, "", err
	}
	ref = strings.TrimPrefix(ref, "containers-storage:")
	id := strings.TrimPrefix(ref, "sha256:")
	if reference.IsID(id) {
		img, err := lookup(store, id)
		if err == nil && img == nil && id != ref {
			img, err = byDigest(store, ref, "")
		}
		return found(img, ref, ref, err)
	}
	if id != ref {
		return Image{}, "", unknown(ref)
	}
	parsed, bad := reference.Parse(ref)
	if bad == nil {
		for _, name := range parsed.Local() {
			img, err := byName(store, name)
			if err != nil || img != nil {
				return found(img, ref, name.String(), err)
			}
		}
	}
	img, err := lookup(store, ref)
	if err != nil || img != nil {
		return found(img, ref, ref, err)
	}
	if bad != nil {
		return Image{}, "", unknown(ref)
	}
	return bySuffix(store, ref, parsed)
}

// ImageByID returns the image with this whole id.
func (s *Store) ImageByID(ctx context.Context, id string) (Image, error) {
	store, err := s.images(ctx)
	if err != nil {
		return Image{}, err
	}
	img, err := lookup(store, id)
	out, _, err := found(img, id, id, err)
	return out, err
}

// lookup asks the store for an id, a prefix of one, or exactly this name; nil when there is none.
func lookup(store images, key string) (*storage.Image, error) {
	img, err := store.Image(key)
	if errors.Is(err, storage.ErrImageUnknown) {
		return nil, nil //nolint:nilnil // nothing found is an answer here
	}
	return img, err
}

func byName(store images, name reference.Ref) (*storage.Image, error) {
	img, err := lookup(store, name.String())
	if err != nil || img != nil || name.Digest == "" {
		return img, err
	}
	return byDigest(store, name.Digest, name.Name())
}

// byDigest finds the image with a manifest of this digest; with a repository, only one that has or had a name there.
func byDigest(store images, d, repository string) (*storage.Image, error) {
	list, err := store.ImagesByDigest(digest.Digest(d))
	if err != nil {
		return nil, err
	}
	for _, img := range list {
		if repository == "" {
			return img, nil
		}
		for _, name := range img.Names {
			if r, err := reference.Parse(name); err == nil && r.Name() == repository {
				return img, nil
			}
		}
	}
	return nil, nil //nolint:nilnil // nothing found is an answer here
}

func bySuffix(store images, ref string, parsed reference.Ref) (Image, string, error) {
	if !parsed.Short() {
		return Image{}, "", unknown(ref)
	}
	list, err := store.Images()
	if err != nil {
		return Image{}, "", wrap(err, "look for image %q", ref)
	}
	for i := range list {
		for _, name := range list[i].Names {
			full, err := reference.Parse(name)
			if err != nil {
				continue
			}
			if parsed.Digest != "" { // the tag of the stored name says nothing then
				full.Tag = ""
				if full.Digest == "" && hasDigest(&list[i], parsed.Digest) {
					full.Digest = parsed.Digest
				}
			}
			want := parsed
			if want.Digest != "" {
				want.Tag = ""
			}
			if want.Matches(full) {
				return found(&list[i], ref, name, nil)
			}
		}
	}
	return Image{}, "", unknown(ref)
}

func hasDigest(img *storage.Image, d string) bool {
	for _, have := range img.Digests {
		if have.String() == d {
			return true
		}
	}
	return false
}

func found(img *storage.Image, ref, name string, err error) (Image, string, error) {
	if err != nil {
		return Image{}, "", wrap(err, "look for image %q", ref)
	}
	if img == nil {
		return Image{}, "", unknown(ref)
	}
	return image(img), name, nil
}

// unknown has the words of podman: "Error: nosuch: image not known".
func unknown(ref string) error { return errs.NotFound("%s: image not known", ref) }
