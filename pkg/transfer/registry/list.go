package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// maxAnswer is how many bytes of a manifest fit into an answer on the pipe.
const maxAnswer = 512 << 10

// member is an image that a list gets, and where it is copied from.
type member struct {
	layers.ManifestEntry
	source string
}

// listAdd puts images into a list, or makes one of them: all, or nothing.
func (j *job) listAdd(ctx context.Context) (transfer.Result, error) {
	o := &j.request.List
	sys := j.system(j.request.Access)
	sys.OSChoice, sys.ArchitectureChoice, sys.VariantChoice = o.Entry.OS, o.Entry.Arch, o.Entry.Variant
	var all []member
	for _, ref := range o.References {
		found, err := j.members(ctx, sys, ref)
		if err != nil {
			return transfer.Result{}, err
		}
		all = append(all, found...)
	}
	if len(all) > 1 && o.Entry.OfOne() {
		return transfer.Result{}, errs.Invalid("a platform is of one image, and %d would be added", len(all))
	}
	add := func(l *layers.ManifestList) error {
		l.Annotate(o.Annotations)
		for _, m := range all {
			l.Set(m.ManifestEntry, m.source)
			l.Entry(m.Digest).Change(layers.EntryChange(o.Entry))
		}
		return nil
	}
	failpoint.Hit("list/found")
	id := o.ID
	if id != "" {
		err := j.store.ChangeManifestList(ctx, id, add)
		return transfer.Result{Images: []transfer.Image{{ID: id}}}, err
	}
	l := new(layers.ManifestList)
	err := add(l)
	if err == nil {
		id, err = j.store.CreateManifestList(ctx, o.Name, l)
	}
	return transfer.Result{Images: []transfer.Image{{ID: id, Names: []string{o.Name}}}}, err
}

// members are the images that a reference means: one, or of a list those that are asked for.
func (j *job) members(ctx context.Context, sys *types.SystemContext, ref string) (_ []member, err error) {
	l, err := j.storedList(ctx, ref)
	if err != nil {
		return nil, err
	}
	if l != nil {
		return j.membersOfStored(sys, l)
	}
	o, err := j.originOf(ctx, sys, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	found, err := j.membersOf(ctx, o)
	if err != nil {
		return nil, explained(err, o.name)
	}
	return found, nil
}

// storedList is the list of the store that the reference means, or nil.
func (j *job) storedList(ctx context.Context, ref string) (*layers.ManifestList, error) {
	if transport, _, ok := cutTransport(ref); ok && transport != storage.Transport.Name() || !ok && !isLocal(ref) {
		return nil, nil //nolint:nilnil // it means no list of the store
	}
	img, _, err := j.store.Image(ctx, ref)
	if errdefs.IsNotFound(err) || err == nil && img.TopLayer != "" {
		return nil, nil //nolint:nilnil // it means no list of the store
	}
	if err != nil {
		return nil, err
	}
	if list, err := j.store.IsList(ctx, img); err != nil || !list {
		return nil, err
	}
	return j.store.ManifestList(ctx, img)
}

// membersOfStored are copied from where the list's own are.
func (j *job) membersOfStored(sys *types.SystemContext, l *layers.ManifestList) ([]member, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	out, err := j.chosen(sys, data, l.MediaType, "")
	for i := range out {
		out[i].source = l.Sources[out[i].Digest]
	}
	return out, err
}

// membersOf reads what is there: an image's config tells its platform, a list tells its images'.
func (j *job) membersOf(ctx context.Context, o *origin) ([]member, error) {
	data, mediaType, err := o.GetManifest(ctx, nil)
	if err != nil {
		return nil, err
	}
	if manifest.MIMETypeIsMultiImage(mediaType) {
		return j.chosen(o.sys, data, mediaType, o.where)
	}
	d, err := manifest.Digest(data)
	if err != nil {
		return nil, err
	}
	m := member{layers.ManifestEntry{MediaType: mediaType, Size: int64(len(data)), Digest: d.String()}, o.where}
	img, err := image.FromUnparsedImage(ctx, o.sys, image.UnparsedInstance(o.ImageSource, nil))
	if err != nil {
		return nil, err
	}
	config, err := img.OCIConfig(ctx)
	if artifact, ok := errors.AsType[manifest.NonImageArtifactError](err); ok {
		var kind struct {
			ArtifactType string `json:"artifactType"`
		}
		if err := json.Unmarshal(data, &kind); err != nil {
			return nil, errors.Join(artifact, err)
		}
		m.ArtifactType = kind.ArtifactType
		return []member{m}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the platform of %s: %w", o.where, err)
	}
	m.Platform = layers.Platform{
		OS: config.OS, Architecture: config.Architecture, Variant: config.Variant, OSVersion: config.OSVersion, OSFeatures: config.OSFeatures,
	}
	return []member{m}, nil
}

// chosen are all images of a list, or the one for the platform.
func (j *job) chosen(sys *types.SystemContext, data []byte, mediaType, where string) ([]member, error) {
	l, err := layers.ParseManifestList(data)
	if err != nil {
		return nil, err
	}
	var only digest.Digest
	if !j.request.List.All {
		list, err := manifest.ListFromBlob(data, mediaType)
		if err != nil {
			return nil, err
		}
		if only, err = list.ChooseInstance(sys); err != nil {
			return nil, errs.WithHint(errs.NotFound("%v", err), "--all adds all of its images")
		}
	}
	var out []member
	for _, e := range l.Manifests {
		if only == "" || e.Digest == only.String() {
			out = append(out, member{e, where})
		}
	}
	return out, nil
}

// listInspect reads a manifest where it is, and stores nothing.
func (j *job) listInspect(ctx context.Context) (_ transfer.Result, err error) {
	ref := j.request.List.References[0]
	o, err := j.originOf(ctx, j.system(j.request.Access), ref)
	if err != nil {
		return transfer.Result{}, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	data, _, err := o.GetManifest(ctx, nil)
	if err != nil {
		return transfer.Result{}, explained(err, o.name)
	}
	if len(data) > maxAnswer {
		return transfer.Result{}, errs.Invalid("%s: its manifest has %d bytes, which is more than the %d that are shown", ref, len(data), maxAnswer)
	}
	return transfer.Result{Manifest: data}, nil
}
