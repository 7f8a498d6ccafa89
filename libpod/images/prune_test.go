package images

import (
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

func TestPrune(t *testing.T) {
	r := newRig(t)
	base := r.add("", "base")
	nameless := r.add(base, "nameless")
	used := r.add("", "used")
	r.container("a", used)
	named := r.add("", "named", "localhost/named:1")
	ctx := t.Context()

	if done, failed := r.Prune(ctx, define.ImagePruneOptions{Filters: []string{"label=l=nosuch"}}); len(done) != 0 || len(failed) != 0 {
		t.Errorf("filtered: %+v, %v", done, failed)
	}
	if _, failed := r.Prune(ctx, define.ImagePruneOptions{Filters: []string{"nosuch=1"}}); len(failed) != 1 || !strings.Contains(failed[0].Error(), "nosuch") {
		t.Errorf("bad filter: %v", failed)
	}
	done, failed := r.Prune(ctx, define.ImagePruneOptions{})
	if len(failed) != 0 || len(done) != 2 || done[0].ID != nameless || done[1].ID != base || done[0].Size <= done[1].Size {
		t.Errorf("%+v, %v", done, failed)
	}
	done, failed = r.Prune(ctx, define.ImagePruneOptions{All: true})
	if len(failed) != 0 || len(done) != 1 || done[0].ID != named {
		t.Errorf("all: %+v, %v", done, failed)
	}
	if there, err := r.Exists(ctx, used); !there || err != nil {
		t.Errorf("an image that is in use is gone: %v", err)
	}
}

func TestPruneExternal(t *testing.T) {
	r := newRig(t)
	id := r.add("", "x")
	store, err := r.layers.Raw()
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.CreateContainer("", []string{"build"}, id, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if done, failed := r.Prune(t.Context(), define.ImagePruneOptions{External: true}); len(done)+len(failed) != 0 {
		t.Errorf("podman's: %v, %v", done, failed)
	}
	if err := store.SetContainerDirectoryFile(c.ID, "buildah.json", nil); err != nil {
		t.Fatal(err)
	}
	if done, failed := r.Prune(t.Context(), define.ImagePruneOptions{}); len(done)+len(failed) != 0 {
		t.Errorf("not asked for: %v, %v", done, failed)
	}
	if done, failed := r.Prune(t.Context(), define.ImagePruneOptions{External: true}); len(done) != 1 || len(failed) != 0 || store.Exists(c.ID) {
		t.Errorf("%v, %v", done, failed)
	}
}

func TestTreeDiffMount(t *testing.T) {
	r := newRig(t)
	base := r.add("", "base", "localhost/base:1")
	r.add(base, "one", "localhost/one:1")
	r.add(base, "two", "localhost/two:1")
	ctx := t.Context()
	tree, err := r.LayerTree(ctx, "base:1", true)
	if err != nil || len(tree.Layers) != 1 || len(tree.Layers[0].Above) != 2 || !tree.Layers[0].Above[1].Twin || tree.Layers[0].Twin {
		t.Errorf("%+v, %v", tree, err)
	}
	tree, err = r.LayerTree(ctx, "two:1", false)
	if err != nil || len(tree.Layers) != 2 || !slices.Equal(tree.Layers[0].Tags, []string{"localhost/base:1"}) || tree.Size < tree.Layers[0].Size {
		t.Errorf("%+v, %v", tree, err)
	}
	for pair, want := range map[string]string{"two:1": "A/two", "two:1 one:1": "D/one A/two", "base:1 two:1": "D/two"} {
		ref, other, _ := strings.Cut(pair, " ")
		changes, err := r.Diff(ctx, ref, other)
		var got []string
		for _, c := range changes {
			got = append(got, string(c.Kind)+c.Path)
		}
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v", pair, got, err)
		}
	}
	if d := DiffReport([]layers.Change{{Path: "/a", Kind: layers.Deleted}}); len(d.Deleted) != 1 || d.Added != nil {
		t.Errorf("%+v", d)
	}
	list, err := r.Mount(ctx, []string{"one:1"}, define.ImageMountOptions{})
	if err != nil || len(list) != 1 || list[0].Path == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err := r.Mounts(ctx); err != nil || len(list) != 1 || list[0].Repositories[0] != "localhost/one:1" {
		t.Errorf("%+v, %v", list, err)
	}
	for range 2 { // the second finds nothing to do
		if _, err := r.Unmount(ctx, nil, define.ImageMountOptions{All: true, Force: true}); err != nil {
			t.Error(err)
		}
	}
	if list, err := r.Mounts(ctx); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
