package env

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout writes OCI layouts: images that a story pushes, without an engine to make them.
type Layout struct {
	Dir    string
	Base   string   // a tar that is the first layer; "" is none
	Texts  []string // each is a layer of one file, /etc/textN
	Arches []string // one image each, in a list; none is this machine's, without a list
}

// Write adds an image or list under a tag, in place of what the layout had.
func (l Layout) Write(tag string) error {
	var layers []v1.Descriptor
	var diffs []digest.Digest
	add := func(data []byte) error {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write(data)
		d, err2 := l.blob(v1.MediaTypeImageLayerGzip, zipped.Bytes, w.Close)
		layers, diffs = append(layers, d), append(diffs, digest.FromBytes(data))
		return errors.Join(err, err2)
	}
	if l.Base != "" {
		data, err := os.ReadFile(l.Base)
		if err = errors.Join(err, add(data)); err != nil {
			return err
		}
	}
	for i, text := range l.Texts {
		var layer bytes.Buffer
		w := tar.NewWriter(&layer)
		err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("etc/text%d", i), Mode: 0o644, Size: int64(len(text))})
		_, err2 := w.Write([]byte(text))
		if err := errors.Join(err, err2, w.Close(), add(layer.Bytes())); err != nil {
			return err
		}
	}
	list := v1.Index{MediaType: v1.MediaTypeImageIndex}
	list.SchemaVersion = 2
	arches := l.Arches
	if len(arches) == 0 {
		arches = []string{runtime.GOARCH}
	}
	for _, arch := range arches {
		d, err := l.manifest(v1.Platform{Architecture: arch, OS: "linux"}, layers, diffs)
		if err != nil {
			return err
		}
		list.Manifests = append(list.Manifests, d)
	}
	top := list.Manifests[0]
	if len(l.Arches) > 0 {
		var err error
		if top, err = l.document(v1.MediaTypeImageIndex, list); err != nil {
			return err
		}
	}
	top.Annotations, top.Platform = map[string]string{v1.AnnotationRefName: tag}, nil
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []v1.Descriptor{top}})
	return errors.Join(err, os.WriteFile(filepath.Join(l.Dir, "index.json"), index, 0o600),
		os.WriteFile(filepath.Join(l.Dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600))
}

func (l Layout) manifest(p v1.Platform, layers []v1.Descriptor, diffs []digest.Digest) (v1.Descriptor, error) {
	when := time.Unix(1700000000, 0).UTC()
	config, err := l.document(v1.MediaTypeImageConfig, v1.Image{
		Created: &when, Platform: p, Config: v1.ImageConfig{Cmd: []string{"/bin/sh"}}, RootFS: v1.RootFS{Type: "layers", DiffIDs: diffs},
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: config, Layers: layers}
	m.SchemaVersion = 2
	d, err := l.document(v1.MediaTypeImageManifest, m)
	d.Platform = &p
	return d, err
}

func (l Layout) document(mediaType string, v any) (v1.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return l.blob(mediaType, func() []byte { return data }, func() error { return nil })
}

// blob stores what data returns after finish.
func (l Layout) blob(mediaType string, data func() []byte, finish func() error) (v1.Descriptor, error) {
	if err := finish(); err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data()), Size: int64(len(data()))}
	dir := filepath.Join(l.Dir, "blobs/sha256")
	return d, errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, d.Digest.Encoded()), data(), 0o600))
}
