package system

import (
	"bytes"
	"testing"

	"hull.dev/hull/libpod/define"
)

func TestPrintPruned(t *testing.T) {
	for want, r := range map[string]define.SystemPruneReport{
		"Total reclaimed space: 0B\n": {},
		"Deleted Containers\na\nDeleted Volumes\nv\nDeleted Images\nb\nc\nDeleted Networks\nn\nTotal reclaimed space: 3.975MB\n": {
			Volumes:    []define.VolumePruneReport{{Name: "v", Size: 100}},
			Containers: []define.PruneReport{{ID: "a", Size: 1000}},
			Images:     []define.ImagePruneReport{{ID: "b", Size: 3_973_999}, {ID: "c", Size: 1}},
			Networks:   []string{"n"},
		},
	} {
		var out bytes.Buffer
		if err := printPruned(&out, r); err != nil || out.String() != want {
			t.Errorf("%q, %v, want %q", out.String(), err, want)
		}
	}
}
