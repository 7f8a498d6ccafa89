package registry

import (
	"encoding/json"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/manifest"

	"hull.dev/hull/pkg/reference"
)

// Annotations that name an image in an OCI layout: containerd's has the whole name, the standard's often a tag alone.
const annotationImageName = "io.containerd.image.name"

// maxDepth is how many indexes may lie in one another.
const maxDepth = 4

// ociBundles reads an OCI layout (image-spec image-layout.md): index.json leads to manifests by digest. All images of the
// index are taken; one that is an index of platforms gives its image for this machine.
func (j *job) ociBundles(f files) ([]*bundle, error) {
	data, err := readAll(f, "index.json", maxIndex)
	if err != nil {
		return nil, j.bad("%v", err)
	}
	var index v1.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, j.bad("its index.json is damaged: %v", err)
	}
	var out []*bundle
	for _, d := range index.Manifests {
		b, err := j.ociBundle(f, d, 0)
		if err != nil {
			return nil, err
		}
		name := d.Annotations[annotationImageName]
		if name == "" {
			name = d.Annotations[v1.AnnotationRefName]
		}
		if name != "" {
			ref, err := reference.NormalizeLocal(name)
			if err != nil {
				return nil, j.bad("%v", err)
			}
			b.names = []string{ref.String()}
		}
		out = append(out, b)
	}
	return merged(out), nil
}

func (j *job) ociBundle(f files, d v1.Descriptor, depth int) (*bundle, error) {
	data, err := j.ociBlob(f, d.Digest, maxManifest)
	if err != nil {
		return nil, err
	}
	mediaType := manifest.NormalizedMIMEType(d.MediaType)
	if d.MediaType == "" {
		mediaType = manifest.GuessMIMEType(data)
	}
	if manifest.MIMETypeIsMultiImage(mediaType) {
		if depth == maxDepth {
			return nil, j.bad("indexes lie %d deep in one another", maxDepth)
		}
		d, err := j.forPlatform(data)
		if err != nil {
			return nil, err
		}
		return j.ociBundle(f, d, depth+1)
	}
	m, err := manifest.FromBlob(data, mediaType)
	if err != nil {
		return nil, j.bad("manifest %s: %v", d.Digest, err)
	}
	config, err := j.ociBlob(f, m.ConfigInfo().Digest, maxConfig)
	if err != nil {
		return nil, err
	}
	b := &bundle{manifest: data, mediaType: mediaType, config: m.ConfigInfo().Digest, blobs: map[digest.Digest]blob{}}
	b.blobs[b.config] = memory(config)
	for _, l := range m.LayerInfos() {
		if len(l.URLs) > 0 {
			return nil, j.bad("layer %s is not in it but at %s, which is not fetched", l.Digest, l.URLs[0])
		}
		name, err := j.blobPath(l.Digest)
		if err != nil {
			return nil, err
		}
		r, size, err := f.open(name)
		if err != nil {
			return nil, j.bad("the layer %s is missing", l.Digest)
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
		if size != l.Size {
			return nil, j.bad("the layer %s has %d bytes, its manifest says %d", l.Digest, size, l.Size)
		}
		b.blobs[l.Digest] = in(f, name, size)
		if !l.EmptyLayer {
			b.layers = append(b.layers, l.Digest)
		}
	}
	return b, nil
}

// ociBlob reads a small blob whole and checks that it is the one.
func (j *job) ociBlob(f files, d digest.Digest, limit int64) ([]byte, error) {
	name, err := j.blobPath(d)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, j.bad("%s is missing", d)
	}
	if err != nil {
		return nil, j.bad("%v", err)
	}
	if got := d.Algorithm().FromBytes(data); got != d {
		return nil, j.wrongDigest(d, got)
	}
	return data, nil
}

// blobPath is where the layout keeps a blob. A digest that is none would be a path of the stranger's choice.
func (j *job) blobPath(d digest.Digest) (string, error) {
	if err := d.Validate(); err != nil {
		return "", j.bad("%q is not a digest", d)
	}
	return "blobs/" + d.Algorithm().String() + "/" + d.Encoded(), nil
}

// forPlatform picks from an index the image for this machine.
func (j *job) forPlatform(data []byte) (v1.Descriptor, error) {
	var index v1.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return v1.Descriptor{}, j.bad("an index in it is damaged: %v", err)
	}
	var have []string
	for _, d := range index.Manifests {
		if d.Platform == nil {
			continue
		}
		if d.Platform.OS == runtime.GOOS && d.Platform.Architecture == runtime.GOARCH {
			return d, nil
		}
		have = append(have, d.Platform.OS+"/"+d.Platform.Architecture)
	}
	return v1.Descriptor{}, j.bad("no image for %s/%s in it; there are: %s", runtime.GOOS, runtime.GOARCH, strings.Join(have, ", "))
}

// merged puts entries of one image together: an index names it once per tag.
func merged(bundles []*bundle) []*bundle {
	var out []*bundle
	for _, b := range bundles {
		i := slices.IndexFunc(out, func(o *bundle) bool { return o.id() == b.id() })
		if i < 0 {
			out = append(out, b)
			continue
		}
		out[i].names = append(out[i].names, b.names...)
	}
	return out
}
