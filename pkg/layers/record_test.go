package layers

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
	"go.podman.io/storage"
)

// What hull writes into the library's file is for the library as its own would be, and what is another engine's stays.
func TestRecordsBesideOthers(t *testing.T) {
	s, ctx := newStore(t, "overlay"), t.Context()
	img := addImage(t, s, "file", "")
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := store.CreateContainer("", []string{"theirs"}, img.ID, "", `{"image-name":"x"}`, &storage.ContainerOptions{Flags: map[string]any{"MountLabel": ""}})
	if err != nil {
		t.Fatal(err)
	}
	read := func() []byte {
		data, err := os.ReadFile(filepath.Join(s.recordsHome(), recordsFile))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	before := bytes.Trim(read(), "[]\n")
	for _, volatile := range []bool{true, false} {
		if err := s.Keep(img.ID, volatile); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(read(), before) {
			t.Errorf("another engine's record was changed:\n%s\n%s", before, read())
		}
		if c, err := store.Container(Keeper(img.ID)); err != nil || c.ImageID != img.ID || c.LayerID != "" {
			t.Errorf("the library has %+v, %v", c, err)
		}
		report, err := store.Check(storage.CheckEverything())
		if err != nil || len(report.Containers)+len(report.Layers) > 0 {
			t.Errorf("the library finds damage: %+v, %v", report, err)
		}
		if err := s.Keep(img.ID, volatile); err != nil {
			t.Errorf("kept already: %v", err)
		}
		if err := s.Release(ctx, img.ID); err != nil || !bytes.Equal(bytes.Trim(read(), "[]\n"), before) {
			t.Errorf("released: %v\n%s\n%s", err, before, read())
		}
	}
	if _, err := store.Container(theirs.ID); err != nil {
		t.Error(err)
	}
	if err := s.Keep("0"+img.ID[1:], false); !errdefs.IsNotFound(err) {
		t.Errorf("keep of an image that is not there: %v", err)
	}
	if kept, err := s.Kept(theirs.ImageID); kept || err != nil {
		t.Errorf("kept by another engine's container: %v, %v", kept, err)
	}
}

// The library removes hull's record as one of its own, as podman rmi --force does.
func TestRecordIsRemovedByTheLibrary(t *testing.T) {
	s := newStore(t, "overlay")
	img := addImage(t, s, "file", "")
	if err := s.Keep(img.ID, false); err != nil {
		t.Fatal(err)
	}
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteContainer(Keeper(img.ID)); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.Kept(img.ID); kept || err != nil {
		t.Errorf("kept: %v, %v", kept, err)
	}
	if _, err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	s := newStore(t, "overlay")
	img := addImage(t, s, "file", "")
	path := filepath.Join(s.recordsHome(), recordsFile)
	if err := os.MkdirAll(s.recordsHome(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(img.ID, false); err == nil {
		t.Error("kept in a damaged file")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "{" {
		t.Errorf("it was written: %q, %v", data, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // what a loss of power makes of a file that was not synced
		t.Fatal(err)
	}
	if err := s.Keep(img.ID, false); err != nil {
		t.Errorf("keep beside an empty file: %v", err)
	}
}
