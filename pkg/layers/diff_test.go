package layers

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestChangesOfOwnLayers(t *testing.T) {
	s, ctx := newStore(t, "overlay"), t.Context()
	base := addImage(t, s, "low", "")
	img := addImage(t, s, "top", base.TopLayer)
	a := made(t, s, CreateOptions{ID: containerID(1), ImageID: img.ID})
	b := made(t, s, CreateOptions{ID: containerID(2), ImageID: base.ID})
	root, err := s.Mount(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "low")); err != nil {
		t.Fatal(err)
	}
	check := func(state string) {
		t.Helper()
		for name, c := range map[string]struct {
			from, to Side
			want     []Change
		}{
			"with its image":           {Side{}, s.ContainerSide(a), []Change{{"/low", Deleted}, {"/new", Added}}},
			"nothing was written":      {Side{}, s.ContainerSide(b), nil},
			"with another container":   {s.ContainerSide(b), s.ContainerSide(a), []Change{{"/low", Deleted}, {"/new", Added}, {"/top", Added}}},
			"the other way":            {s.ContainerSide(a), s.ContainerSide(b), []Change{{"/low", Added}, {"/new", Deleted}, {"/top", Deleted}}},
			"with an image of 1 layer": {ImageSide(base), s.ContainerSide(a), []Change{{"/low", Deleted}, {"/new", Added}, {"/top", Added}}},
			"an image with it":         {s.ContainerSide(b), ImageSide(img), []Change{{"/top", Added}}},
			"images":                   {Side{}, ImageSide(img), []Change{{"/top", Added}}},
			"nothing":                  {s.ContainerSide(a), Side{}, nil},
		} {
			if got, err := s.Changes(ctx, c.from, c.to); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %v, %v, want %v", name, state, got, err, c.want)
			}
		}
	}
	check("mounted")
	if err := s.Unmount(ctx, a); err != nil {
		t.Fatal(err)
	}
	check("not mounted")
	if is, err := s.Mounted(ctx, a); err != nil || is {
		t.Errorf("mounted after it: %v, %v", is, err)
	}
	if err := s.Delete(ctx, b); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(ctx, Side{}, Side{own: b}); err == nil {
		t.Error("changes of what is gone")
	}
}
