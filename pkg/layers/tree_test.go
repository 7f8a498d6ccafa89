package layers

import "testing"

func TestTotal(t *testing.T) {
	s := newStore(t, "vfs")
	base := addImage(t, s, "a", "")
	addImage(t, s, "b", base.TopLayer)
	other := addImage(t, s, "c", base.TopLayer)
	tree, err := s.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	layer := tree.Layers(base.TopLayer)[0].Size
	var blobs int64
	for _, i := range tree.Images {
		for _, n := range i.dataSizes {
			blobs += n
		}
	}
	for name, c := range map[string]struct {
		used   string
		unused int64 // layers
	}{"none": {"", 3}, "the lowest": {base.ID, 2}, "one above": {other.ID, 1}} {
		size, unused, err := tree.Total(func(id string) bool { return id == c.used })
		if err != nil || size != 3*layer+blobs {
			t.Errorf("%s in use: %d bytes, %v, want %d", name, size, err, 3*layer+blobs)
		}
		if got := unused / layer; got != c.unused {
			t.Errorf("%s in use: %d bytes unused, that is %d layers, want %d", name, unused, got, c.unused)
		}
	}
}
