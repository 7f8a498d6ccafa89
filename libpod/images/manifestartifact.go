package images

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/transfer"
)

// ArtifactOptions is what podman-manifest-add(1) can be asked for of an artifact.
type ArtifactOptions struct {
	artifacts.MakeOptions        // Subject is the service's
	SubjectOf             string // what the artifact belongs to: an image, by any of its names; "" is nothing
}

func (s *Service) listsDir() string { return filepath.Join(s.layers.GraphRoot(), "hull", "lists") }

// listed is where the artifacts of lists are until the lists are pushed: an OCI layout in <graph root>/hull/lists. It has the
// lock that keeps who makes one and who removes those without a list apart.
func (s *Service) listed(ctx context.Context) (*artifacts.Store, *lockfile.Lock, error) {
	dir := s.listsDir()
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, nil, err
	}
	lock, err := lockfile.Dir(dir).Lock(ctx, "lock")
	return artifacts.At(dir), lock, err
}

// ManifestAddArtifact makes an artifact of files, puts it into a list, and returns the list's id. The files are the list's
// from then on: what becomes of them elsewhere does not matter.
func (s Lists) ManifestAddArtifact(ctx context.Context, list string, files []string, a ArtifactOptions, o ManifestOptions) (string, error) {
	img, err := s.list(ctx, list)
	if err != nil {
		return "", err
	}
	if a.SubjectOf != "" {
		if a.Subject, err = s.subject(ctx, a.SubjectOf, o.Access); err != nil {
			return "", err
		}
	}
	store, lock, err := s.listed(ctx)
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if err := s.keepListed(ctx, store); err != nil {
		return "", err
	}
	name, made, err := store.Make(ctx, files, a.MakeOptions)
	if err != nil {
		return "", err
	}
	failpoint.Hit("list/artifact")
	err = s.layers.ChangeManifestList(ctx, img.ID, func(l *layers.ManifestList) error {
		d := made.Digest.String()
		l.Set(layers.ManifestEntry{MediaType: made.MediaType, Size: made.Size, Digest: d, ArtifactType: made.ArtifactType}, "oci:"+store.Dir()+":"+name)
		l.Entry(d).Change(layers.EntryChange(o.Entry))
		return nil
	})
	if err != nil {
		err = errors.Join(err, s.keepListed(ctx, store))
	}
	return img.ID, err
}

// sweepListed removes the artifacts that no list names any more, also those whose list a killed command did not come to.
func (s *Service) sweepListed(ctx context.Context) error {
	if _, err := os.Stat(s.listsDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, lock, err := s.listed(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return s.keepListed(ctx, store)
}

// swept is sweepListed behind what has failed before.
func (s *Service) swept(ctx context.Context, failed []error) []error {
	if err := s.sweepListed(ctx); err != nil {
		failed = append(failed, err)
	}
	return failed
}

func (s *Service) keepListed(ctx context.Context, store *artifacts.Store) error {
	all, err := s.layers.Images(ctx)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, img := range all {
		is, err := s.isList(ctx, img)
		if err != nil || !is {
			continue // a damaged image is no list that could be pushed
		}
		l, err := s.layers.ManifestList(ctx, img)
		if err != nil {
			return err
		}
		for _, e := range l.Manifests {
			used[e.Digest] = true
		}
	}
	return store.Keep(ctx, func(a artifacts.Artifact) bool { return used[a.Digest.String()] })
}

// subject describes the manifest that a reference means, here or in a registry.
func (s *Service) subject(ctx context.Context, ref string, a transfer.Access) (*v1.Descriptor, error) {
	data, err := s.manifestOf(ctx, ref, a)
	if err != nil {
		return nil, err
	}
	var m struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Manifests     json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(data, &m); err != nil || m.SchemaVersion != 2 {
		return nil, errs.Invalid("%s: its manifest cannot be a subject: it is of no kind that has a media type", ref)
	}
	switch {
	case m.MediaType != "":
	case m.Manifests != nil:
		m.MediaType = v1.MediaTypeImageIndex
	default:
		m.MediaType = v1.MediaTypeImageManifest
	}
	return &v1.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, nil
}
