package artifacts

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"hull.dev/hull/pkg/errs"
)

// MakeOptions is what podman-manifest-add(1) can be asked for of an artifact.
type MakeOptions struct {
	Type          string         // of the artifact; "" is unknownType
	Config        string         // a file; "" leaves the config empty
	ConfigType    string         // "" is the empty config's, or an image's config when there is a file
	LayerType     string         // of the files; "" is what each looks like
	ExcludeTitles bool           // the artifact does not tell what its files are called
	Subject       *v1.Descriptor // what the artifact belongs to, or nil
}

// Make makes an artifact of files under a name of its own, which follows from its digest, and describes its manifest. Of the
// same files it is the same.
func (s *Store) Make(ctx context.Context, paths []string, o MakeOptions) (name string, made v1.Descriptor, err error) {
	err = s.Update(ctx, func(t *Tx) error {
		m := v1.Manifest{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: o.Type, Subject: o.Subject,
		}
		if m.ArtifactType == "" {
			m.ArtifactType = unknownType
		}
		if m.Config, err = t.putConfig(ctx, o); err != nil {
			return err
		}
		for _, path := range paths {
			l, err := t.putFile(ctx, path, AddOptions{FileType: o.LayerType})
			if err != nil {
				return err
			}
			if o.ExcludeTitles {
				l.Annotations = nil
			}
			m.Layers = append(m.Layers, l)
		}
		if made, err = t.PutDocument(ctx, m.MediaType, m); err != nil {
			return err
		}
		made.ArtifactType = m.ArtifactType
		name = "localhost/listed:" + made.Digest.Encoded()
		t.Set(name, made)
		return nil
	})
	return name, made, err
}

func (t *Tx) putConfig(ctx context.Context, o MakeOptions) (v1.Descriptor, error) {
	data, kind, inline := v1.DescriptorEmptyJSON.Data, v1.MediaTypeEmptyJSON, v1.DescriptorEmptyJSON.Data
	if o.Config != "" {
		info, err := os.Stat(o.Config)
		if err == nil && info.Size() > maxDocument {
			err = errs.Invalid("%q has %d bytes, and a config has at most %d", o.Config, info.Size(), maxDocument)
		}
		if err == nil {
			data, err = os.ReadFile(o.Config)
		}
		if err != nil {
			return v1.Descriptor{}, fmt.Errorf("read the artifact's config: %w", err)
		}
		kind, inline = v1.MediaTypeImageConfig, nil
	}
	if o.ConfigType != "" {
		kind = o.ConfigType
	}
	d, err := t.Put(ctx, bytes.NewReader(data))
	d.MediaType, d.Data = kind, inline
	return d, err
}

// Keep removes every artifact but those that it is told to keep.
func (s *Store) Keep(ctx context.Context, keep func(Artifact) bool) error {
	return s.Update(ctx, func(t *Tx) error {
		all, err := t.List(ctx)
		if err != nil {
			return err
		}
		for _, a := range all {
			if !keep(a) {
				t.Drop(a)
			}
		}
		return nil
	})
}
