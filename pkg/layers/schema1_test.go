package layers

import (
	"encoding/json"
	"testing"

	"github.com/containerd/errdefs"
)

func TestSchema1(t *testing.T) {
	const text = `{"schemaVersion":1,"name":"a","tag":"1","architecture":"arm64","fsLayers":[{"blobSum":"sha256:2"},{"blobSum":"sha256:e"},{"blobSum":"sha256:1"}],"history":[
{"v1Compatibility":"{\"id\":\"3\",\"architecture\":\"arm64\",\"os\":\"linux\",\"created\":\"2020-01-02T03:04:05Z\",\"config\":{\"Cmd\":[\"sh\"],\"Env\":[\"A=b\"]},\"container_config\":{\"Cmd\":[\"third\"]}}"},
{"v1Compatibility":"{\"id\":\"2\",\"throwaway\":true,\"container_config\":{\"Cmd\":[\"second\",\"step\"]}}"},
{"v1Compatibility":"{\"id\":\"1\",\"container_config\":{\"Cmd\":[\"first\"]}}"}]}`
	var m manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	c, err := m.ownConfig("x")
	if err != nil || m.mediaType() != typeSchema1 || c.Architecture != "arm64" || c.Config.Cmd[0] != "sh" || c.Created.Year() != 2020 {
		t.Errorf("%+v, %v", c, err)
	}
	if len(c.Layers) != 2 || c.Layers[0] != "sha256:1" || len(c.History) != 3 || c.History[0].CreatedBy != "first" || !c.History[1].EmptyLayer || c.History[1].CreatedBy != "second step" {
		t.Errorf("%v, %+v", c.Layers, c.History)
	}
	for _, bad := range []string{`{"schemaVersion":1}`, `{"schemaVersion":1,"fsLayers":[{}],"history":[{"v1Compatibility":"{"}]}`} {
		var m manifest
		if err := json.Unmarshal([]byte(bad), &m); err != nil {
			t.Fatal(err)
		}
		if _, err := m.ownConfig("x"); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// FuzzConfig is a manifest of any form that came from outside once.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:1"}],"history":[{"v1Compatibility":"{\"config\":{}}"}]}`))
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:1"},"layers":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m manifest
		if json.Unmarshal(data, &m) != nil || m.mediaType() != typeSchema1 {
			return
		}
		if c, err := m.ownConfig("x"); err == nil && (len(c.History) == 0 || len(c.Layers) > len(c.History)) {
			t.Errorf("%d layers of %d steps", len(c.Layers), len(c.History))
		}
	})
}
