package layers

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// addLinked adds an image with a link to outside and a file "f" below it, which is in the layer's own folder of that name.
func addLinked(tb testing.TB, s *Store, outside string) Image {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	var headers []tar.Header
	for dir := outside; dir != "/"; dir = filepath.Dir(dir) {
		headers = slices.Insert(headers, 0, tar.Header{Name: dir[1:] + "/", Typeflag: tar.TypeDir, Mode: 0o755})
	}
	headers = append(headers,
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: outside, Mode: 0o777},
		tar.Header{Name: "link/f", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5})
	for i := range headers {
		if err := w.WriteHeader(&headers[i]); err != nil {
			tb.Fatal(err)
		}
	}
	_, _ = w.Write([]byte("layer"))
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return addTar(tb, s, "linked", "", &buf, "localhost/linked:latest")
}

func TestCheckReadsTheLayersOwnFiles(t *testing.T) {
	for _, driver := range []string{"vfs", "overlay"} {
		t.Run(driver, func(t *testing.T) {
			s, outside := newStore(t, driver), t.TempDir()
			if err := os.WriteFile(outside+"/f", []byte("of the machine"), 0o600); err != nil {
				t.Fatal(err)
			}
			linked := addLinked(t, s, outside)
			whole := addImage(t, s, "whole", "", "localhost/whole:latest")
			if texts := damage(t, s).Texts(); len(texts) > 0 {
				t.Fatalf("a store that is whole: %q", texts)
			}
			store, err := s.open()
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(s.GraphRoot(), "vfs/dir", linked.TopLayer)
			if driver == "overlay" {
				dir = filepath.Join(s.GraphRoot(), "overlay", linked.TopLayer, "diff")
			}
			if err := os.WriteFile(filepath.Join(dir, outside, "f"), []byte("other"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := store.CreateContainer("", nil, linked.ID, "", "", nil); err != nil {
				t.Fatal(err)
			}
			found := damage(t, s)
			texts := strings.Join(found.Texts(), "\n")
			for _, want := range []string{"layer " + short(linked.TopLayer), "image " + short(linked.ID), "container of the store "} {
				if strings.Count("\n"+texts, "\n"+want) != 1 {
					t.Errorf("no line %q of a changed file: %s", want, texts)
				}
			}
			if err := found.Repair(true); err != nil {
				t.Error(err)
			}
			if store.Exists(linked.ID) || !store.Exists(whole.ID) {
				t.Error("the image that is damaged goes, the other stays")
			}
			if texts := damage(t, s).Texts(); len(texts) > 0 {
				t.Errorf("after the repair: %q", texts)
			}
		})
	}
}

func damage(t *testing.T, s *Store) Damage {
	t.Helper()
	found, err := s.Check(t.Context(), true, 0)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
