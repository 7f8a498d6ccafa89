package layers

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
)

// The catalog has to answer what the library answers.
func TestCatalogIsAsTheLibrary(t *testing.T) {
	s := newStore(t, "vfs")
	if c, err := s.catalog(); c != nil || err != nil {
		t.Fatalf("a store that is not made yet: %v, %v", c, err)
	}
	a := addImage(t, s, "a", "", "localhost/a:latest", "quay.io/me/deep:1")
	b := addImage(t, s, "b", a.TopLayer, "docker.io/library/b:latest", `odd "name" & more`)
	addImage(t, s, "c", "")
	library, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := library.SetImageBigData(a.ID, "manifest-"+b.Digest, []byte("{}"), func([]byte) (digest.Digest, error) { return digest.Digest(b.Digest), nil }); err != nil {
		t.Fatal(err)
	}
	c, err := s.catalog()
	if err != nil || c == nil {
		t.Fatal(c, err)
	}
	for _, key := range []string{
		a.ID, b.ID, a.ID[:7], "localhost/a:latest", "quay.io/me/deep:1", "docker.io/library/b:latest", `odd "name" & more`, "", "a", containerID(3),
	} {
		want, wantErr := library.Image(key)
		got, err := c.Image(key)
		if !errors.Is(err, errors.Unwrap(wantErr)) || (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("Image(%q) = %+v, %v; the library has %+v, %v", key, got, err, want, wantErr)
		}
	}
	for _, d := range []string{a.Digest, b.Digest, digest.FromString("none").String()} {
		want, wantErr := library.ImagesByDigest(digest.Digest(d))
		got, err := c.ImagesByDigest(digest.Digest(d))
		if err != nil || wantErr != nil || len(got) != len(want) {
			t.Errorf("ImagesByDigest(%q) = %v, %v; the library has %v, %v", d, got, err, want, wantErr)
		}
	}
	want, wantErr := library.Images()
	got, err := c.Images()
	if err != nil || wantErr != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Images() = %+v, %v; the library has %+v, %v", got, err, want, wantErr)
	}
	for _, key := range append(append([]string{"none", "EndsInX"}, a.dataNames...), b.dataNames...) {
		if err := library.SetImageBigData(b.ID, "EndsInX", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		want, wantErr := library.ImageBigData(b.ID, key)
		got, err := c.ImageBigData(b.ID, key)
		if (err == nil) != (wantErr == nil) || errors.Is(err, os.ErrNotExist) != errors.Is(wantErr, os.ErrNotExist) || string(got) != string(want) {
			t.Errorf("ImageBigData(%q) = %q, %v; the library has %q, %v", key, got, err, want, wantErr)
		}
	}
	if _, err := c.ImageBigData(containerID(3), "manifest"); !errors.Is(err, storage.ErrImageUnknown) {
		t.Errorf("data of no image: %v", err)
	}
}

func TestCatalogFollowsTheRecords(t *testing.T) {
	s := newStore(t, "vfs")
	a := addImage(t, s, "a", "", "localhost/a:latest")
	if _, _, err := s.Image(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetNames(t.Context(), a.ID, "localhost/b:latest"); err != nil {
		t.Fatal(err)
	}
	if img, _, err := s.Image(t.Context(), "b"); err != nil || img.ID != a.ID {
		t.Errorf("a name that is new: %v, %v", img, err)
	}
	if _, _, err := s.Image(t.Context(), "a"); err == nil {
		t.Error("a name that is gone is found")
	}
	for _, o := range []Options{
		{ImageStore: filepath.Join(t.TempDir(), "x")}, {DriverOptions: []string{"vfs.imagestore=/more"}}, {Driver: "overlay"},
	} {
		o.Root, o.RunRoot = s.GraphRoot(), s.RunRoot()
		other, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := other.catalog(); c != nil || err != nil {
			t.Errorf("%+v has a catalog: %v, %v", o, c, err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.GraphRoot(), "vfs-images/images.json"), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Image(t.Context(), "b"); err == nil {
		t.Error("records that end in the middle are read")
	}
}

func TestRecords(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`:           {},
		`[{"id":"a"}]`: {`{"id":"a"}`},
		`[{"id":"a","names":["x"]},{"id":"b"}]` + "\n":                               {`{"id":"a","names":["x"]}`, `{"id":"b"}`},
		`[{"id":"a","metadata":"},{\"id\":\""},{"id":"b","big-data-sizes":{"m":1}}]`: {`{"id":"a","metadata":"},{\"id\":\""}`, `{"id":"b","big-data-sizes":{"m":1}}`},
		`[{"id":"a","flags":{"x":[{"y":1},{"id":"z"}]}},{"id":"b"}]`:                 {`{"id":"a","flags":{"x":[{"y":1},{"id":"z"}]}}`, `{"id":"b"}`},
		`[{"id":"a"} ,{"id":"b"}]`:                                                   {`{"id":"a"}`, `{"id":"b"}`},
		`[ {"names":["x"],"id":"a"}, {"id":"b"} ]`:                                   {`{"names":["x"],"id":"a"}`, `{"id":"b"}`},
	} {
		list, err := records([]byte(text))
		got := []string{}
		for _, raw := range list {
			got = append(got, string(raw))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("records(%s) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "[", `[{"id":"a"}`, `{"id":"a"}`} {
		if list, err := records([]byte(text)); err == nil {
			t.Errorf("records(%s) = %q", text, list)
		}
	}
}

// What is not cut as JSON has it must at least be no JSON then.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{`[{"id":"a","names":["x"]},{"id":"b"}]`, `[{"id":"a","metadata":"},{\"id\":\""}]`, `[{"id":"a"}, {"id":"b"}]`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var images []storage.Image
		if json.Unmarshal(data, &images) != nil {
			return
		}
		list, err := records(data)
		if err != nil {
			t.Fatalf("records(%q): %v", data, err)
		}
		for i, raw := range list {
			var img storage.Image
			if err := json.Unmarshal(raw, &img); err != nil {
				return
			}
			if i >= len(images) || img.ID != images[i].ID || !slices.Equal(img.Names, images[i].Names) {
				t.Fatalf("records(%q)[%d] is %q", data, i, raw)
			}
		}
		if len(list) != len(images) {
			t.Fatalf("records(%q) = %q", data, list)
		}
	})
}
