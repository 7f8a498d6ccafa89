package layers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
)

// keyInstances is the key of a list's data that says where its images are copied from: JSON, digest to
// TRANSPORT:DETAILS, and "" to the list's own id. It is podman's, as is the form.
const keyInstances = "instances.json"

// ManifestList is a list of images for platforms: an index of image-spec image-index.md, or Docker's manifest list, which
// has platform features and no annotations. The store has it as an image without layers.
type ManifestList struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Manifests     []ManifestEntry   `json:"manifests"`
	Subject       json.RawMessage   `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`

	// Sources says where the image with a digest is copied from, TRANSPORT:DETAILS (containers-transports(5)).
	Sources map[string]string `json:"-"`
}

// ManifestEntry is an image of a list.
type ManifestEntry struct {
	MediaType    string            `json:"mediaType"`
	Size         int64             `json:"size"` // of the manifest, in bytes
	Digest       string            `json:"digest"`
	URLs         []string          `json:"urls,omitempty"`
	Data         []byte            `json:"data,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     Platform          `json:"platform,omitzero"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Platform is what an image of a list runs on.
type Platform struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	OSVersion    string   `json:"os.version,omitempty"`
	OSFeatures   []string `json:"os.features,omitempty"`
	Variant      string   `json:"variant,omitempty"`
	Features     []string `json:"features,omitempty"` // of the processor; Docker's alone
}

// IsZero reports whether nothing is known; such a platform is left out.
func (p Platform) IsZero() bool {
	return p.Architecture == "" && p.OS == "" && p.OSVersion == "" && p.Variant == "" && len(p.OSFeatures) == 0 && len(p.Features) == 0
}

// EntryChange is what a list is to say of an image; what is empty stays.
type EntryChange struct {
	OS, Arch, Variant, OSVersion string
	OSFeatures, Features         []string
	Annotations                  map[string]string
}

// Change says it.
func (e *ManifestEntry) Change(c EntryChange) {
	p := &e.Platform
	p.OS, p.Architecture = cmp.Or(c.OS, p.OS), cmp.Or(c.Arch, p.Architecture)
	p.Variant, p.OSVersion = cmp.Or(c.Variant, p.Variant), cmp.Or(c.OSVersion, p.OSVersion)
	if len(c.OSFeatures) > 0 {
		p.OSFeatures = c.OSFeatures
	}
	if len(c.Features) > 0 {
		p.Features = c.Features
	}
	e.Annotations = merged(e.Annotations, c.Annotations)
}

// Annotate adds annotations of the list itself.
func (l *ManifestList) Annotate(annotations map[string]string) {
	l.Annotations = merged(l.Annotations, annotations)
}

func merged(have, more map[string]string) map[string]string {
	if have == nil {
		return maps.Clone(more)
	}
	maps.Copy(have, more)
	return have
}

// Set puts entry into the list, in place of the one with its digest.
func (l *ManifestList) Set(entry ManifestEntry, source string) {
	l.Manifests = slices.DeleteFunc(l.Manifests, func(e ManifestEntry) bool { return e.Digest == entry.Digest })
	l.Manifests = append(l.Manifests, entry)
	if l.Sources == nil {
		l.Sources = map[string]string{}
	}
	l.Sources[entry.Digest] = source
}

// Entry is the image with the digest, to be changed in place, or nil.
func (l *ManifestList) Entry(d string) *ManifestEntry {
	i := slices.IndexFunc(l.Manifests, func(e ManifestEntry) bool { return e.Digest == d })
	if i < 0 {
		return nil
	}
	return &l.Manifests[i]
}

// Drop takes the image with the digest out of the list and reports whether it was there.
func (l *ManifestList) Drop(d string) bool {
	before := len(l.Manifests)
	l.Manifests = slices.DeleteFunc(l.Manifests, func(e ManifestEntry) bool { return e.Digest == d })
	delete(l.Sources, d)
	return len(l.Manifests) < before
}

// ForPlatform is the image for this machine's system and processor, or nil: one without a variant before one with.
func (l *ManifestList) ForPlatform() *ManifestEntry {
	var found *ManifestEntry
	for i := range l.Manifests {
		e := &l.Manifests[i]
		if e.Platform.OS != runtime.GOOS || e.Platform.Architecture != runtime.GOARCH {
			continue
		}
		if e.Platform.Variant == "" {
			return e
		}
		if found == nil {
			found = e
		}
	}
	return found
}

// encode is the list in the form that can hold it. An empty one is Docker's and one with images OCI's, as podman has it,
// unless an entry has processor features and nothing needs OCI's.
func (l *ManifestList) encode() ([]byte, error) {
	features, oci := false, len(l.Annotations) > 0 || l.ArtifactType != "" || len(l.Subject) > 0
	for _, e := range l.Manifests {
		features = features || len(e.Platform.Features) > 0
		oci = oci || len(e.Annotations) > 0 || len(e.Data) > 0 || e.ArtifactType != "" || e.Platform.IsZero()
	}
	l.SchemaVersion, l.MediaType = 2, typeOCIIndex
	if !oci && (features || len(l.Manifests) == 0) {
		l.MediaType = typeDockerList
	}
	if l.Manifests == nil {
		l.Manifests = []ManifestEntry{}
	}
	data, err := json.Marshal(l)
	if err == nil && len(data) > maxBlob {
		err = errs.Invalid("the list of images would have %d bytes, which is more than the %d that are read", len(data), maxBlob)
	}
	return data, err
}

// encodeSources is keyInstances' data of the list with this id.
func encodeSources(id string, sources map[string]string) ([]byte, error) {
	all := maps.Clone(sources)
	if all == nil {
		all = map[string]string{}
	}
	if id != "" {
		all[""] = id
	}
	return json.Marshal(all)
}

// CreateManifestList stores a new list under a name, whole or not at all, and returns its id. ErrAlreadyExists when an
// image has the name.
func (s *Store) CreateManifestList(ctx context.Context, name string, l *ManifestList) (string, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return "", err
	}
	data, err := l.encode()
	if err != nil {
		return "", err
	}
	sources, err := encodeSources("", l.Sources)
	if err != nil {
		return "", err
	}
	img, err := store.CreateImage("", []string{name}, "", "", &storage.ImageOptions{BigData: []storage.ImageBigDataOption{
		{Key: storage.ImageDigestBigDataKey, Data: data, Digest: digest.FromBytes(data)},
		{Key: keyInstances, Data: sources, Digest: digest.FromBytes(sources)},
	}})
	if err != nil {
		return "", wrap(err, "create list %q", name)
	}
	return img.ID, nil
}

// ManifestList reads the list that img is. ErrInvalidArgument when it is an image.
func (s *Store) ManifestList(ctx context.Context, img Image) (*ManifestList, error) {
	data, err := s.data(ctx, img, storage.ImageDigestBigDataKey)
	if err != nil {
		return nil, err
	}
	l, err := ParseManifestList(data)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", short(img.ID), err)
	}
	if !slices.Contains(img.dataNames, keyInstances) {
		return l, nil
	}
	sources, err := s.data(ctx, img, keyInstances)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(sources, &l.Sources); err != nil {
		return nil, errs.Invalid("list %q: its %s is damaged: %v", short(img.ID), keyInstances, err)
	}
	delete(l.Sources, "")
	return l, nil
}

// ParseManifestList reads a list's JSON. ErrInvalidArgument when it is something else.
func ParseManifestList(data []byte) (*ManifestList, error) {
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, errs.Invalid("the manifest is damaged: %v", err)
	}
	if t := m.mediaType(); t != typeOCIIndex && t != typeDockerList {
		return nil, errs.Invalid("a manifest of type %q is no list of images", t)
	}
	l := new(ManifestList)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, errs.Invalid("the list of images is damaged: %v", err)
	}
	return l, nil
}

// ChangeManifestList changes a list under podman's lock for it: what change says, or nothing. A process that is killed
// leaves the old list or the new one; where images come from that are no longer in it may stay known.
func (s *Store) ChangeManifestList(ctx context.Context, id string, change func(*ManifestList) error) error {
	store, err := s.opened(ctx)
	if err != nil {
		return err
	}
	lock, err := store.GetDigestLock(digest.NewDigestFromEncoded(digest.Canonical, id))
	if err != nil {
		return wrap(err, "lock list %q", short(id))
	}
	lock.Lock()
	defer lock.Unlock()
	img, err := s.ImageByID(ctx, id)
	if err != nil {
		return err
	}
	l, err := s.ManifestList(ctx, img)
	if err != nil {
		return err
	}
	both := maps.Clone(l.Sources)
	if both == nil {
		both = map[string]string{}
	}
	if err := change(l); err != nil {
		return err
	}
	data, err := l.encode()
	if err != nil {
		return err
	}
	maps.Copy(both, l.Sources)
	if err := setSources(store, id, both); err != nil {
		return err
	}
	failpoint.Hit("list/sources")
	if err := store.SetImageBigData(id, storage.ImageDigestBigDataKey, data, digested); err != nil {
		return wrap(err, "write list %q", short(id))
	}
	failpoint.Hit("list/written")
	if len(both) == len(l.Sources) {
		return nil
	}
	return setSources(store, id, l.Sources)
}

func setSources(store storage.Store, id string, sources map[string]string) error {
	data, err := encodeSources(id, sources)
	if err != nil {
		return err
	}
	return wrap(store.SetImageBigData(id, keyInstances, data, digested), "write list %q", short(id))
}

func digested(data []byte) (digest.Digest, error) { return digest.FromBytes(data), nil }

// Instance is the image of this store that a list has for this machine. ErrNotFound, in podman's words, when the list has
// none or the store does not have it.
func (s *Store) Instance(ctx context.Context, list Image) (Image, error) {
	l, err := s.ManifestList(ctx, list)
	if err != nil {
		return Image{}, err
	}
	store, err := s.opened(ctx)
	if err != nil {
		return Image{}, err
	}
	if e := l.ForPlatform(); e != nil {
		img, err := byDigest(store, e.Digest, "")
		if err != nil {
			return Image{}, wrap(err, "look for image %q", e.Digest)
		}
		if img != nil {
			return image(img), nil
		}
	}
	return Image{}, errs.NotFound(`no image found in manifest list for architecture %s, variant "", OS %s: image not known`, runtime.GOARCH, runtime.GOOS)
}
