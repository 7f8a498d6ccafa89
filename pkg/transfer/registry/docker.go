package registry

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/pkg/compression"

	"hull.dev/hull/pkg/reference"
)

// savedImage is one element of manifest.json, the table of contents of docker save.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// dockerBundles reads an archive of docker save: manifest.json names configs and layers by path. The manifest that the
// store gets is made here, byte for byte the one that podman makes, so that digests agree.
func (j *job) dockerBundles(f files) ([]*bundle, error) {
	data, err := readAll(f, "manifest.json", maxIndex)
	if err != nil {
		return nil, j.bad("%v", err)
	}
	var images []savedImage
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, j.bad("its manifest.json is damaged: %v", err)
	}
	var out []*bundle
	for _, image := range images {
		b, err := j.dockerBundle(f, image)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func (j *job) dockerBundle(f files, image savedImage) (*bundle, error) {
	config, err := readAll(f, image.Config, maxConfig)
	if err != nil {
		return nil, j.bad("config: %v", err)
	}
	var parsed manifest.Schema2Image
	if err := json.Unmarshal(config, &parsed); err != nil {
		return nil, j.bad("config %q is damaged: %v", image.Config, err)
	}
	if parsed.RootFS == nil || len(parsed.RootFS.DiffIDs) != len(image.Layers) {
		return nil, j.bad("config %q does not have the %d layers of the manifest", image.Config, len(image.Layers))
	}
	b := &bundle{config: digest.FromBytes(config), mediaType: manifest.DockerV2Schema2MediaType, blobs: map[digest.Digest]blob{}}
	b.blobs[b.config] = memory(config)
	m := manifest.Schema2{
		SchemaVersion: 2, MediaType: b.mediaType, LayersDescriptors: []manifest.Schema2Descriptor{},
		ConfigDescriptor: manifest.Schema2Descriptor{
			MediaType: manifest.DockerV2Schema2ConfigMediaType, Size: int64(len(config)), Digest: b.config,
		},
	}
	for i, d := range parsed.RootFS.DiffIDs {
		if err := d.Validate(); err != nil {
			return nil, j.bad("config %q: %q is not a digest", image.Config, d)
		}
		if _, ok := b.blobs[d]; !ok {
			if b.blobs[d], err = j.dockerLayer(f, image.Layers[i]); err != nil {
				return nil, err
			}
		}
		b.layers = append(b.layers, d)
		m.LayersDescriptors = append(m.LayersDescriptors, manifest.Schema2Descriptor{
			MediaType: manifest.DockerV2Schema2LayerMediaType, Size: b.blobs[d].size, Digest: d,
		})
	}
	for _, tag := range image.RepoTags {
		name, err := reference.Normalize(tag)
		if err != nil {
			return nil, j.bad("%v", err)
		}
		b.names = append(b.names, name.Tagged().String())
	}
	b.manifest, err = json.Marshal(&m)
	return b, err
}

// dockerLayer is a layer's tar, which the manifest knows by the digest of its uncompressed form: a compressed one (umoci
// writes them) is read through to learn its size.
func (j *job) dockerLayer(f files, name string) (blob, error) {
	r, size, err := f.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return blob{}, j.bad("the layer %q is missing", name)
	}
	if err != nil {
		return blob{}, j.bad("%v", err)
	}
	defer r.Close()
	plainTar, compressed, err := compression.AutoDecompress(r)
	if err != nil {
		return blob{}, j.bad("layer %q: %v", name, err)
	}
	defer plainTar.Close()
	if !compressed {
		return in(f, name, size), nil
	}
	free := j.stage.free()
	size, err = io.Copy(io.Discard, io.LimitReader(plainTar, free+1))
	if err != nil {
		return blob{}, j.bad("layer %q: %v", name, err)
	}
	if size > free {
		return blob{}, noSpace(j.request.Source, "unpacks to")
	}
	return blob{size, func() (io.ReadCloser, error) {
		r, _, err := f.open(name)
		if err != nil {
			return nil, err
		}
		plainTar, _, err := compression.AutoDecompress(r)
		return plainTar, err
	}}, nil
}
