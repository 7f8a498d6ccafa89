package layers

import (
	"encoding/json"
	"slices"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// typeSchema1 is docker's oldest manifest (distribution "manifest v2 schema 1"), which is its own config: a JSON text for
// each step that made the image, the last one first.
const typeSchema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

// schema1 are the fields of such a manifest that others lack.
type schema1 struct {
	Blobs []struct {
		Digest string `json:"blobSum"`
	} `json:"fsLayers"`
	Steps []struct {
		Text string `json:"v1Compatibility"`
	} `json:"history"`
}

// step is what a text of a step has beside what a config has.
type step struct {
	Config
	Empty           bool `json:"throwaway"`
	ContainerConfig struct {
		Cmd []string `json:"Cmd"`
	} `json:"container_config"`
}

// ownConfig is the config that the manifest holds. The digests of the uncompressed layers are in none of it.
func (m *schema1) ownConfig(id string) (Config, error) {
	if len(m.Steps) == 0 || len(m.Steps) != len(m.Blobs) {
		return Config{}, errs.Invalid("image %q: its manifest has %d steps and %d layers", short(id), len(m.Steps), len(m.Blobs))
	}
	var c Config
	for i, text := range m.Steps {
		var s step
		if err := json.Unmarshal([]byte(text.Text), &s); err != nil {
			return Config{}, errs.Invalid("image %q: its manifest is damaged: %v", short(id), err)
		}
		if i == 0 {
			c = s.Config
			c.History = nil
		}
		c.History = append(c.History, History{
			Created: s.Created, CreatedBy: strings.Join(s.ContainerConfig.Cmd, " "), Author: s.Author, Comment: s.Comment, EmptyLayer: s.Empty,
		})
		if !s.Empty {
			c.Layers = append(c.Layers, m.Blobs[i].Digest)
		}
	}
	slices.Reverse(c.History)
	slices.Reverse(c.Layers)
	c.ManifestType = typeSchema1
	return c, nil
}
