package layers

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
)

func TestManifestListLife(t *testing.T) {
	s := newStore(t, "vfs")
	img := addImage(t, s, "a", "", "localhost/a:latest")
	id, err := s.CreateManifestList(t.Context(), "localhost/l:1", new(ManifestList))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateManifestList(t.Context(), "localhost/l:1", new(ManifestList)); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second one: %v", err)
	}
	read := func() *ManifestList {
		t.Helper()
		rec, err := s.ImageByID(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.ManifestList(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := read(); l.MediaType != typeDockerList || len(l.Manifests) != 0 {
		t.Errorf("empty: %+v", l)
	}
	entry := ManifestEntry{
		MediaType: typeOCIManifest, Digest: img.Digest, Size: 7, Platform: Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH, Variant: "v8"},
	}
	change := func(fn func(*ManifestList) error) {
		t.Helper()
		if err := s.ChangeManifestList(t.Context(), id, fn); err != nil {
			t.Fatal(err)
		}
	}
	change(func(l *ManifestList) error { l.Set(entry, "oci:/x"); l.Set(entry, "oci:/y"); return nil })
	l := read()
	if l.MediaType != typeOCIIndex || len(l.Manifests) != 1 || !reflect.DeepEqual(l.Manifests[0], entry) ||
		!reflect.DeepEqual(l.Sources, map[string]string{img.Digest: "oci:/y"}) {
		t.Errorf("with an image: %+v, %v", l, l.Sources)
	}
	rec, err := s.ImageByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if one, err := s.Instance(t.Context(), rec); err != nil || one.ID != img.ID {
		t.Errorf("for this machine %q, %v; want %q", one.ID, err, img.ID)
	}
	if _, err := s.Config(t.Context(), rec); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a list has a config: %v", err)
	}
	oops := errors.New("oops")
	if err := s.ChangeManifestList(t.Context(), id, func(l *ManifestList) error { l.Drop(img.Digest); return oops }); !errors.Is(err, oops) || len(read().Manifests) != 1 {
		t.Errorf("a change that fails changed it: %v", err)
	}
	change(func(l *ManifestList) error {
		if !l.Drop(img.Digest) || l.Drop(img.Digest) {
			t.Error("Drop told wrong")
		}
		return nil
	})
	if l := read(); len(l.Manifests) != 0 || len(l.Sources) != 0 {
		t.Errorf("after Drop: %+v, %v", l, l.Sources)
	}
	if _, err := s.Instance(t.Context(), rec); !errdefs.IsNotFound(err) {
		t.Errorf("of an empty list: %v", err)
	}
	if err := s.ChangeManifestList(t.Context(), img.ID, func(*ManifestList) error { return nil }); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an image is no list: %v", err)
	}
}

// What several processes add at once is all there: each reads the list after it has the lock.
func TestManifestListRacers(t *testing.T) {
	s := newStore(t, "vfs")
	id, err := s.CreateManifestList(t.Context(), "localhost/l:1", new(ManifestList))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, c := range "0123456789abcdef" {
		wg.Go(func() {
			d := "sha256:" + strings.Repeat(string(c), 64)
			err := s.ChangeManifestList(t.Context(), id, func(l *ManifestList) error {
				l.Set(ManifestEntry{MediaType: typeOCIManifest, Digest: d}, "oci:/"+d)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	rec, err := s.ImageByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := s.ManifestList(t.Context(), rec); err != nil || len(l.Manifests) != 16 || len(l.Sources) != 16 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestManifestListForm(t *testing.T) {
	p := Platform{OS: "linux", Architecture: "arm64"}
	for name, c := range map[string]struct {
		list ManifestList
		want string
	}{
		"empty":                   {ManifestList{}, typeDockerList},
		"empty with annotations":  {ManifestList{Annotations: map[string]string{"a": "b"}}, typeOCIIndex},
		"an image":                {ManifestList{Manifests: []ManifestEntry{{Platform: p}}}, typeOCIIndex},
		"features":                {ManifestList{Manifests: []ManifestEntry{{Platform: Platform{OS: "linux", Features: []string{"sse4"}}}}}, typeDockerList},
		"features, and an answer": {ManifestList{Manifests: []ManifestEntry{{Platform: Platform{OS: "linux", Features: []string{"sse4"}}, Annotations: map[string]string{"a": "b"}}}}, typeOCIIndex},
	} {
		data, err := c.list.encode()
		if err != nil {
			t.Fatal(err)
		}
		if l, err := ParseManifestList(data); err != nil || l.MediaType != c.want || len(l.Manifests) != len(c.list.Manifests) {
			t.Errorf("%s: %s, %v; want %s", name, data, err, c.want)
		}
	}
	big := ManifestList{Annotations: map[string]string{"a": strings.Repeat("x", maxBlob)}}
	if _, err := big.encode(); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a list that could not be read again: %v", err)
	}
}

func TestManifestEntryChange(t *testing.T) {
	e := ManifestEntry{Platform: Platform{OS: "linux", Architecture: "amd64"}, Annotations: map[string]string{"a": "b"}}
	e.Change(EntryChange{Arch: "arm64", Variant: "v8", OSVersion: "3", OSFeatures: []string{"f"}, Features: []string{"g"}, Annotations: map[string]string{"c": "d"}})
	want := ManifestEntry{
		Platform:    Platform{OS: "linux", Architecture: "arm64", Variant: "v8", OSVersion: "3", OSFeatures: []string{"f"}, Features: []string{"g"}},
		Annotations: map[string]string{"a": "b", "c": "d"},
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("%+v", e)
	}
}

func FuzzManifestList(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"sha256:x","platform":{"os":"linux"}}]}`))
	f.Add([]byte(`{"manifests":[1]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseManifestList(data)
		if err != nil {
			return
		}
		l.ForPlatform()
		again, err := l.encode()
		if err != nil {
			return
		}
		if _, err := ParseManifestList(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
