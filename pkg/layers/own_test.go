package layers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

// made makes a container of the image.
func made(t *testing.T, s *Store, o CreateOptions) string {
	t.Helper()
	if _, err := s.CreateContainer(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func TestOwnLayersShareAKeeper(t *testing.T) {
	s, ctx := newStore(t, "overlay"), t.Context()
	img := addImage(t, s, "file", "")
	a := made(t, s, CreateOptions{ID: containerID(1), ImageID: img.ID})
	b := made(t, s, CreateOptions{ID: containerID(2), ImageID: img.ID})
	records, err := s.Containers(ctx)
	if err != nil || len(records) != 1 || records[0].ID != Keeper(img.ID) || !records[0].Keeps || records[0].ImageID != img.ID {
		t.Errorf("the store has the records %+v, %v", records, err)
	}
	if own, err := s.OwnLayers(); err != nil || len(own) != 2 || !own[a] || !own[b] {
		t.Errorf("own layers %v, %v", own, err)
	}
	if err := s.Delete(ctx, a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteImage(ctx, img.ID); !errdefs.IsConflict(err) {
		t.Errorf("delete of a kept image: %v", err)
	}
	// Another engine takes the record, and then the image, by force.
	if err := s.Release(ctx, img.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteImage(ctx, img.ID); err != nil {
		t.Fatal(err)
	}
	if own, err := s.OwnLayers(); err != nil || own[b] {
		t.Errorf("without its image the layer is whole: %v, %v", own, err)
	}
	if _, err := s.Mount(ctx, b); !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "is not in the store any more") {
		t.Errorf("mount without its image: %v", err)
	}
	if _, err := s.CreateContainer(ctx, CreateOptions{ID: containerID(3), ImageID: img.ID}); !errdefs.IsNotFound(err) {
		t.Errorf("one more without the image: %v", err)
	}
	if err := s.Delete(ctx, b); err != nil {
		t.Error(err)
	}
}

func TestOwnLayerKeepsWhatWasWritten(t *testing.T) {
	for name, volatile := range map[string]bool{"durable": false, "volatile": true} {
		t.Run(name, func(t *testing.T) {
			s, ctx := newStore(t, "overlay"), t.Context()
			base := addImage(t, s, "low", "")
			img := addImage(t, s, "file", base.TopLayer)
			id := made(t, s, CreateOptions{ID: containerID(1), ImageID: img.ID, Volatile: volatile})
			for _, want := range []string{"low", "file", "written"} {
				root, err := s.Mount(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				if is, err := s.Mounted(ctx, id); err != nil || !is {
					t.Errorf("mounted: %v, %v", is, err)
				}
				if again, err := s.Mount(ctx, id); err != nil || again != root {
					t.Errorf("mounted twice: %q, %v", again, err)
				}
				if _, err := os.Stat(filepath.Join(root, want)); err != nil {
					t.Error(err)
				}
				if err := os.WriteFile(filepath.Join(root, "written"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := s.Unmount(ctx, id); err != nil {
					t.Fatal(err)
				}
			}
			if is, err := s.Mounted(ctx, id); err != nil || is {
				t.Errorf("mounted in the end: %v, %v", is, err)
			}
			dirs := s.OverlayDirs(id, true)
			if _, err := os.Stat(filepath.Join(dirs["UpperDir"], "written")); err != nil || len(strings.Split(dirs["LowerDir"], ":")) != 2 {
				t.Errorf("folders %v, %v", dirs, err)
			}
			if err := errJoin(s.Delete(ctx, id), s.Release(ctx, img.ID)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What overlay alone does not do is the library's: its record, and no folder of hull's.
func TestLayersOfTheLibrary(t *testing.T) {
	s := newStore(t, "overlay")
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	top := ""
	for range 70 {
		layer, err := store.CreateLayer("", top, nil, "", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		top = layer.ID
	}
	img := addImage(t, s, "file", top)
	few := addImage(t, s, "other", "")
	for name, o := range map[string]CreateOptions{
		"too long a chain": {ID: containerID(1), ImageID: img.ID},
		"mapped ids":       {ID: containerID(2), ImageID: few.ID, IDMap: &IDMap{UIDs: []IDRange{{0, 0, 1}}, GIDs: []IDRange{{0, 0, 1}}}},
		"no image":         {ID: containerID(3)},
	} {
		id := made(t, s, o)
		if c, err := s.Container(t.Context(), id); err != nil || c.LayerID != LayerID(id) || s.isOwn(id) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A keeper of an older hull has a layer; what a kill left of one has a layer alone.
func TestKeepersOfAnOlderHull(t *testing.T) {
	s, ctx := newStore(t, "overlay"), t.Context()
	img := addImage(t, s, "file", "")
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	id := Keeper(img.ID)
	for _, whole := range []bool{true, false} {
		if whole {
			_, err = store.CreateContainer(id, nil, img.ID, LayerID(id), `{"hull":{"version":1,"keeps":true}}`, nil)
		} else {
			_, err = store.CreateLayer(LayerID(id), img.TopLayer, nil, "", true, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := s.Kept(img.ID); kept != whole || err != nil {
			t.Errorf("whole %v: kept %v, %v", whole, kept, err)
		}
		if err := s.Release(ctx, img.ID); err != nil || store.Exists(LayerID(id)) || store.Exists(id) {
			t.Errorf("whole %v: released: %v", whole, err)
		}
	}
	if _, err := store.CreateLayer(LayerID(id), img.TopLayer, nil, "", true, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(img.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteImage(ctx, img.ID); !errdefs.IsConflict(err) {
		t.Errorf("delete of the kept image: %v", err)
	}
}

func TestLayersAreSetAside(t *testing.T) {
	s, ctx := newStore(t, "overlay"), t.Context()
	img := addImage(t, s, "file", "")
	for n, end := range []func(id string){
		func(id string) { _ = os.RemoveAll(filepath.Join(s.Gone(), id)) }, // the monitor's
		func(id string) { _ = s.Delete(ctx, id) },                         // the next command's, after a kill
	} {
		id := made(t, s, CreateOptions{ID: containerID(byte(n + 1)), ImageID: img.ID, Volatile: true})
		if _, err := s.Mount(ctx, id); err != nil {
			t.Fatal(err)
		}
		if err := s.SetAside(ctx, id); err != nil || s.isOwn(id) {
			t.Fatalf("set aside: %v", err)
		}
		if own, err := s.OwnLayers(); err != nil || len(own) > 0 {
			t.Errorf("own layers: %v, %v", own, err)
		}
		end(id)
		if entries, err := os.ReadDir(s.Gone()); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
		if err := s.SetAside(ctx, id); err != nil {
			t.Errorf("once more: %v", err)
		}
	}
}
