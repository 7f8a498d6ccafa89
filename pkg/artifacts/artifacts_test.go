package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// rig is a store in a temporary folder, with files to add.
type rig struct {
	*Store
	t   *testing.T
	dir string
}

func newRig(t *testing.T) rig {
	t.Helper()
	dir := t.TempDir()
	return rig{At(dir), t, dir}
}

func (r rig) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r rig) add(name string, o AddOptions, paths ...string) digest.Digest {
	r.t.Helper()
	d, err := r.Add(r.t.Context(), name, paths, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// blobs is how many blobs the store has.
func (r rig) blobs() int {
	r.t.Helper()
	list, err := filepath.Glob(filepath.Join(r.Dir(), "blobs/*/*"))
	left, err2 := filepath.Glob(filepath.Join(r.Dir(), "put.*"))
	if err := errors.Join(err, err2); err != nil || len(left) > 0 {
		r.t.Fatalf("%v, %q are left", err, left)
	}
	return len(list)
}

func TestLife(t *testing.T) {
	r := newRig(t)
	if list, err := r.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("a new store: %v, %v", list, err)
	}
	a, b := r.file("a", "one"), r.file("b.bin", "\x00two")
	d := r.add("mine", AddOptions{Annotations: map[string]string{"k": "v"}}, a)
	got, err := r.Find(t.Context(), "mine")
	if err != nil || got.Digest != d || got.Name != "localhost/mine:latest" || got.Size() != 3 || got.Manifest.ArtifactType != unknownType {
		t.Fatalf("%+v, %v", got, err)
	}
	l := got.Manifest.Layers[0]
	if l.MediaType != "text/plain; charset=utf-8" || l.Annotations[v1.AnnotationTitle] != "a" || l.Annotations["k"] != "v" {
		t.Errorf("%+v", l)
	}
	if _, err := r.Add(t.Context(), "mine", []string{b}, AddOptions{}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("twice: %v", err)
	}
	if _, err := r.Add(t.Context(), "mine", []string{a}, AddOptions{Append: true}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a file twice: %v", err)
	}
	if _, err := r.Add(t.Context(), "none", []string{a}, AddOptions{Append: true}); !errdefs.IsNotFound(err) {
		t.Errorf("append to nothing: %v", err)
	}
	r.add("mine", AddOptions{Append: true, FileType: "x/y"}, b)
	if got, _ = r.Find(t.Context(), "localhost/mine:latest"); len(got.Manifest.Layers) != 2 || got.Manifest.Layers[1].MediaType != "x/y" {
		t.Errorf("%+v", got.Manifest.Layers)
	}
	r.add("mine", AddOptions{Replace: true, Type: "my/type"}, b)
	if got, _ = r.Find(t.Context(), "mine"); len(got.Manifest.Layers) != 1 || got.Manifest.ArtifactType != "my/type" {
		t.Errorf("%+v", got.Manifest)
	}
	if n := r.blobs(); n != 3 {
		t.Errorf("%d blobs, want manifest, config and file", n)
	}
	r.add("quay.io/x/other:1", AddOptions{}, a)
	for _, ref := range []string{"quay.io/x/other:1", string(got.Digest), got.Digest.Encoded()[:8]} {
		if _, err := r.Find(t.Context(), ref); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := r.Remove(t.Context(), []string{"mine", "nosuch"}, RemoveOptions{}); !errdefs.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	if _, err := r.Find(t.Context(), "mine"); err != nil {
		t.Errorf("it went beside an error: %v", err)
	}
	if gone, err := r.Remove(t.Context(), []string{"mine", "nosuch"}, RemoveOptions{Ignore: true}); err != nil || len(gone) != 1 || gone[0] != got.Digest {
		t.Errorf("%v, %v", gone, err)
	}
	if gone, err := r.Remove(t.Context(), nil, RemoveOptions{All: true}); err != nil || len(gone) != 1 || r.blobs() != 0 {
		t.Errorf("%v, %v, %d blobs", gone, err, r.blobs())
	}
}

func TestAddRefuses(t *testing.T) {
	r := newRig(t)
	a := r.file("a", "one")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for what, add := range map[string]func() error{
		"a folder":       func() error { _, err := r.Add(t.Context(), "x", []string{a, r.dir}, AddOptions{}); return err },
		"nothing":        func() error { _, err := r.Add(t.Context(), "x", []string{a, "/nosuch"}, AddOptions{}); return err },
		"one file twice": func() error { _, err := r.Add(t.Context(), "x", []string{a, a}, AddOptions{}); return err },
		"a wrong name":   func() error { _, err := r.Add(t.Context(), "X", []string{a}, AddOptions{}); return err },
		"a digest": func() error {
			_, err := r.Add(t.Context(), "x@"+string(digest.FromString("")), []string{a}, AddOptions{})
			return err
		},
		"when cancelled": func() error { _, err := r.Add(cancelled, "x", []string{a}, AddOptions{}); return err },
		"in the middle": func() error {
			return r.Update(t.Context(), func(t *Tx) error { _, err := t.Put(cancelled, strings.NewReader("x")); return err })
		},
		"a huge manifest": func() error {
			_, err := r.Add(t.Context(), "x", []string{a}, AddOptions{FileType: strings.Repeat("x", maxDocument)})
			return err
		},
	} {
		if err := add(); err == nil {
			t.Errorf("%s was added", what)
		}
	}
	if list, err := r.List(t.Context()); err != nil || len(list) > 0 || r.blobs() > 0 {
		t.Errorf("%v, %v, %d blobs are left", list, err, r.blobs())
	}
}

func TestExtract(t *testing.T) {
	r := newRig(t)
	d := r.add("mine", AddOptions{}, r.file("a", "one"), r.file("b", "two"))
	out := filepath.Join(r.dir, "out")
	if err := r.Extract(t.Context(), "mine", out, ExtractOptions{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("two files as one: %v", err)
	}
	if err := r.Extract(t.Context(), "mine", out, ExtractOptions{Title: "c"}); !errdefs.IsNotFound(err) {
		t.Errorf("no such title: %v", err)
	}
	if err := r.Extract(t.Context(), "mine", out, ExtractOptions{Digest: digest.FromString("two").String()}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != "two" {
		t.Errorf("%q, %v", text, err)
	}
	folder := filepath.Join(r.dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.Extract(t.Context(), d.Encoded()[:12], folder, ExtractOptions{}); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a": "one", "b": "two"} {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	path, err := r.path(digest.FromString("one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Extract(t.Context(), "mine", filepath.Join(folder, "c"), ExtractOptions{Title: "a"}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "c")); !os.IsNotExist(err) {
		t.Errorf("it was written: %v", err)
	}
}

// put is an artifact with files that have these titles, as a stranger may make it.
func (r rig) put(name string, titles ...string) {
	r.t.Helper()
	err := r.Update(r.t.Context(), func(t *Tx) error {
		m := v1.Manifest{MediaType: v1.MediaTypeImageManifest}
		for _, title := range titles {
			l, err := t.Put(r.t.Context(), strings.NewReader(title))
			if err != nil {
				return err
			}
			l.Annotations = map[string]string{v1.AnnotationTitle: title}
			m.Layers = append(m.Layers, l)
		}
		var err error
		if m.Config, err = t.Put(r.t.Context(), strings.NewReader("{}")); err != nil {
			return err
		}
		d, err := t.PutDocument(r.t.Context(), v1.MediaTypeImageManifest, m)
		t.Set(name, d)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestExtractStaysInside(t *testing.T) {
	r := newRig(t)
	folder := filepath.Join(r.dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, title := range []string{"../x", "/x", "a/b", "..", ".", "a\x00b"} {
		name := "localhost/x:" + string(rune('a'+i))
		r.put(name, "fine", title)
		if err := r.Extract(t.Context(), name, folder, ExtractOptions{}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", title, err)
		}
	}
	r.put("localhost/x:same", "same", "same")
	if err := r.Extract(t.Context(), "x:same", folder, ExtractOptions{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("one name twice: %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: want nothing", left, err)
	}
	if err := os.Symlink("/nonexistent", filepath.Join(folder, "fine")); err != nil {
		t.Fatal(err)
	}
	r.put("localhost/x:fine", "fine")
	if err := r.Extract(t.Context(), "x:fine", folder, ExtractOptions{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(filepath.Join(folder, "fine")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("a link was followed: %v, %v", info, err)
	}
}

// A layout that another program filled gives its artifact, and what the store had was lent to it.
func TestLendAndTake(t *testing.T) {
	r, other := newRig(t), newRig(t)
	r.add("mine", AddOptions{}, r.file("a", "one"))
	d := other.add("theirs", AddOptions{}, other.file("a", "one"), other.file("b", "two"))
	layout := filepath.Join(r.dir, "layout")
	err := r.Update(t.Context(), func(tx *Tx) error {
		if err := tx.Lend(layout); err != nil {
			return err
		}
		lent, err := filepath.Glob(filepath.Join(layout, "blobs/sha256/*"))
		if err != nil || len(lent) != 2 {
			t.Errorf("lent %q, %v: want the file and the config", lent, err)
		}
		desc := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: d}
		if err := tx.Take(other.Dir(), desc); err != nil {
			return err
		}
		tx.Set("localhost/theirs:latest", desc)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := r.Find(t.Context(), "theirs"); err != nil || a.Digest != d || a.Size() != 6 {
		t.Errorf("%+v, %v", a, err)
	}
	if n := r.blobs(); n != 5 {
		t.Errorf("%d blobs, want 2 manifests, 1 config, 2 files", n)
	}
}

func TestDamage(t *testing.T) {
	r := newRig(t)
	d := r.add("mine", AddOptions{}, r.file("a", "one"))
	before := r.blobs()
	path, err := r.path(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := r.List(t.Context()); err != nil || len(list) != 1 || !errdefs.IsInvalidArgument(list[0].Bad) {
		t.Errorf("a damaged manifest: %+v, %v", list, err)
	}
	if _, err := r.Find(t.Context(), "mine"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a damaged manifest is used: %v", err)
	}
	if err := r.Update(t.Context(), func(*Tx) error { return nil }); err == nil || r.blobs() != before {
		t.Errorf("%v, %d blobs of %d: with a damaged manifest nothing goes", err, r.blobs(), before)
	}
	if gone, err := r.Remove(t.Context(), []string{"mine"}, RemoveOptions{}); err != nil || len(gone) != 1 || r.blobs() != 0 {
		t.Errorf("the way out: %v, %v, %d blobs", gone, err, r.blobs())
	}
	if err := os.WriteFile(filepath.Join(r.Dir(), "index.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.List(t.Context()); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a damaged index: %v", err)
	}
}

// Who waits for a pull can be stopped, and leaves the lock to the next.
func TestWaitStops(t *testing.T) {
	r := newRig(t)
	a := r.file("a", "one")
	waiting, cancel := context.WithCancel(t.Context())
	err := r.Update(t.Context(), func(*Tx) error {
		cancel()
		_, err := r.Add(waiting, "x", []string{a}, AddOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := r.Add(ctx, "x", []string{a}, AddOptions{}); ended <- err }()
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.add("x", AddOptions{}, a)
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","annotations":{"org.opencontainers.image.ref.name":"x"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		r := newRig(t)
		if err := os.MkdirAll(r.Dir(), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.Dir(), "index.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = r.List(t.Context())
		_ = r.Update(t.Context(), func(*Tx) error { return nil })
	})
}

func TestMake(t *testing.T) {
	r := newRig(t)
	a, config := r.file("a", "one"), r.file("config", `{"x":1}`)
	name, made, err := r.Make(t.Context(), []string{a}, MakeOptions{Type: "t/t"})
	if err != nil || made.ArtifactType != "t/t" || made.MediaType != v1.MediaTypeImageManifest {
		t.Fatalf("%q, %+v, %v", name, made, err)
	}
	again, same, err := r.Make(t.Context(), []string{a}, MakeOptions{Type: "t/t"})
	if err != nil || again != name || same.Digest != made.Digest {
		t.Errorf("of the same files it is another: %q, %v, %v", again, same.Digest, err)
	}
	got, err := r.Find(t.Context(), name)
	if err != nil || got.Digest != made.Digest || got.Manifest.Layers[0].Annotations[v1.AnnotationTitle] != "a" || got.Manifest.Config.MediaType != v1.MediaTypeEmptyJSON {
		t.Errorf("%+v, %v", got, err)
	}
	subject := v1.Descriptor{MediaType: "m", Digest: made.Digest, Size: 1}
	name, _, err = r.Make(t.Context(), []string{a}, MakeOptions{Config: config, LayerType: "l/l", ExcludeTitles: true, Subject: &subject})
	if err != nil {
		t.Fatal(err)
	}
	got, err = r.Find(t.Context(), name)
	m := got.Manifest
	if err != nil || m.ArtifactType != unknownType || m.Config.MediaType != v1.MediaTypeImageConfig || len(m.Config.Data) > 0 || m.Layers[0].MediaType != "l/l" ||
		len(m.Layers[0].Annotations) > 0 || m.Subject == nil || m.Subject.Digest != made.Digest {
		t.Errorf("%+v, %v", m, err)
	}
	for what, o := range map[string]MakeOptions{"no config": {Config: "/nosuch"}, "a folder": {Config: r.dir}} {
		if _, _, err := r.Make(t.Context(), []string{a}, o); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if err := r.Keep(t.Context(), func(a Artifact) bool { return a.Digest == made.Digest }); err != nil || r.blobs() != 3 {
		t.Errorf("%v, %d blobs, want manifest, config and file", err, r.blobs())
	}
}

func TestUnnamed(t *testing.T) {
	r := newRig(t)
	if left, err := r.Unnamed(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("a new store: %q, %v", left, err)
	}
	d := r.add("mine", AddOptions{}, r.file("a", "one"))
	if left, err := r.Unnamed(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%q, %v", left, err)
	}
	path, err := r.path(digest.FromString("left"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, filepath.Join(r.Dir(), "put.1")} {
		if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := r.Unnamed(t.Context()); err != nil || len(left) != 2 || left[0] != path {
		t.Errorf("%q, %v", left, err)
	}
	err = r.Update(t.Context(), func(*Tx) error {
		left, err := r.Unnamed(t.Context())
		if len(left) > 0 {
			t.Errorf("%q is found while another command works", left)
		}
		return err
	})
	if err != nil || r.blobs() != 3 {
		t.Errorf("%v, %d blobs", err, r.blobs())
	}
	manifest, err := r.path(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := r.Unnamed(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("beside a damaged manifest: %q, %v", left, err)
	}
}
