package containers

import (
	"strings"
	"testing"
	"time"

	"hull.dev/hull/libpod/define"
)

func TestVolumeFilters(t *testing.T) {
	v := &define.Volume{Name: "v", CreatedAt: time.Now().Add(-time.Hour), Labels: map[string]string{"team": "a", "x.y": ""}}
	for text, want := range map[string]bool{
		"": true, "label=team": true, "label=team=a": true, "label=team=b": false, "label=x.*": true, "label!=team": false, "label!=z": true,
		"label=team label=z": false, "until=30m": true, "until=2h": false, "until=30m label!=team": false,
	} {
		match, err := volumeFilters(strings.Fields(text))
		if err != nil || match(v) != want {
			t.Errorf("%q: %v, %v", text, match != nil && match(v), err)
		}
	}
	for _, text := range []string{"until=x", "name=v"} {
		if _, err := volumeFilters([]string{text}); err == nil || !strings.Contains(err.Error(), strings.SplitN(text, "=", 2)[0]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
