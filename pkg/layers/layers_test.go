package layers

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
)

func TestMain(m *testing.M) {
	if Reexec() {
		return
	}
	os.Exit(m.Run())
}

// newStore opens a store of its own in a temporary folder.
func newStore(tb testing.TB, driver string) *Store {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("a store needs root or a user namespace")
	}
	dir := tb.TempDir()
	s, err := Open(Options{Root: filepath.Join(dir, "root"), RunRoot: filepath.Join(dir, "run"), Driver: driver})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if store, err := s.open(); err == nil {
			_, _ = store.Shutdown(true)
		}
	})
	return s
}

// addImage puts an image with one file "/name" into the store, on top of parent's layers.
func addImage(tb testing.TB, s *Store, name, parent string, names ...string) Image {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 5}); err != nil {
		tb.Fatal(err)
	}
	_, _ = w.Write([]byte("hello"))
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return addTar(tb, s, name, parent, &buf, names...)
}

// addTar is addImage with what is in the layer.
func addTar(tb testing.TB, s *Store, name, parent string, content io.Reader, names ...string) Image {
	tb.Helper()
	store, err := s.open()
	if err != nil {
		tb.Fatal(err)
	}
	layer, _, err := store.PutLayer("", parent, nil, "", false, nil, content)
	if err != nil {
		tb.Fatal(err)
	}
	config := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{"Cmd":["/%s"],"Labels":{"name":"%s"}},"rootfs":{"type":"layers","diff_ids":["%s"]}}`,
		name, name, layer.UncompressedDigest)
	id := digest.FromBytes(config)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"x","digest":%q,"size":%d},"layers":[]}`,
		typeOCIManifest, id, len(config))
	img, err := store.CreateImage(id.Encoded(), names, layer.ID, "", &storage.ImageOptions{
		Digest: digest.FromBytes(manifest),
		BigData: []storage.ImageBigDataOption{
			{Key: "manifest", Data: manifest, Digest: digest.FromBytes(manifest)},
			{Key: id.String(), Data: config, Digest: id},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return image(img)
}

func containerID(n byte) string { return hex.EncodeToString(bytes.Repeat([]byte{n}, 32)) }

func TestOpenIsLazy(t *testing.T) {
	s := newStore(t, "vfs")
	if _, err := os.Stat(s.GraphRoot()); !os.IsNotExist(err) {
		t.Errorf("Open made %q: %v", s.GraphRoot(), err)
	}
	if _, err := Open(Options{DriverOptions: []string{"nonsense"}}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("got %v", err)
	}
}

func TestImageIsFound(t *testing.T) {
	s := newStore(t, "vfs")
	a := addImage(t, s, "a", "", "localhost/a:latest", "quay.io/me/deep:1")
	b := addImage(t, s, "b", "", "docker.io/library/b:latest")
	for ref, want := range map[string]string{
		a.ID: a.ID, "sha256:" + a.ID: a.ID, a.ID[:12]: a.ID,
		"a": a.ID, "a:latest": a.ID, "localhost/a": a.ID, "deep:1": a.ID, "me/deep:1": a.ID,
		"a@" + a.Digest: a.ID, "deep:7@" + a.Digest: a.ID,
		"b": b.ID, "library/b": b.ID, "docker.io/b": b.ID, "index.docker.io/library/b": b.ID,
	} {
		img, _, err := s.Image(t.Context(), ref)
		if err != nil || img.ID != want {
			t.Errorf("Image(%q) = %q, %v; want %q", ref, img.ID, err, want)
		}
	}
	for _, ref := range []string{"c", "a:2", "deep", "b@" + a.Digest, containerID(1), "sha256:12", "Not A Name", "quay.io/a"} {
		if _, _, err := s.Image(t.Context(), ref); !errdefs.IsNotFound(err) || err.Error() != ref+": image not known" {
			t.Errorf("Image(%q): %v", ref, err)
		}
	}
	_, name, err := s.Image(t.Context(), "deep:1")
	if err != nil || name != "quay.io/me/deep:1" {
		t.Errorf("found name %q, %v", name, err)
	}
}

func TestContainerLife(t *testing.T) {
	for _, driver := range []string{"vfs", "overlay"} {
		t.Run(driver, func(t *testing.T) { containerLife(t, newStore(t, driver)) })
	}
}

func containerLife(t *testing.T, s *Store) { //nolint:thelper // it is the test
	ctx, id := t.Context(), containerID(7)
	img := addImage(t, s, "file", "", "localhost/file:latest")
	c, err := s.CreateContainer(ctx, CreateOptions{ID: id, ImageID: img.ID, Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != id || !c.Ours {
		t.Errorf("got %+v", c)
	}
	if _, err := s.CreateContainer(ctx, CreateOptions{ID: id, ImageID: img.ID}); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second one: %v", err)
	}
	path, err := s.Mount(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(path, "file")); string(data) != "hello" {
		t.Errorf("got %q, %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(path, "new"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if rw, all, err := s.Size(ctx, id); err != nil || rw < 1000 || all <= rw {
		t.Errorf("sizes %d, %d, %v", rw, all, err)
	}
	if _, err := s.DeleteImage(ctx, img.ID); !errdefs.IsConflict(err) {
		t.Errorf("delete of a used image: %v", err)
	}
	if err := s.Delete(ctx, id); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is gone is fine
		if err := errJoin(s.Unmount(ctx, id), s.Delete(ctx, id), s.Release(ctx, img.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := s.DeleteImage(ctx, img.ID); err != nil || len(gone) != 1 {
		t.Errorf("removed %v, %v", gone, err)
	}
	if tree, err := s.Tree(ctx); err != nil || len(tree.UnusedLayers()) != 0 {
		t.Errorf("left over: %v, %v", tree, err)
	}
}

func errJoin(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A process that died between layer and record leaves a layer that Delete finds.
func TestDeleteWithoutRecord(t *testing.T) {
	s := newStore(t, "vfs")
	img := addImage(t, s, "file", "")
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	id := containerID(3)
	if _, err := store.CreateLayer(LayerID(id), img.TopLayer, nil, "", true, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if store.Exists(LayerID(id)) {
		t.Error("the layer is still there")
	}
}

func TestOthersAreToldApart(t *testing.T) {
	s := newStore(t, "vfs")
	img := addImage(t, s, "file", "")
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	other, err := store.CreateContainer("", []string{"web"}, img.ID, "", `{"image-name":"file","name":"web"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateContainer(t.Context(), CreateOptions{ID: containerID(1), ImageID: img.ID}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Containers(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, c := range list {
		if c.Ours == (c.ID == other.ID) {
			t.Errorf("%q: ours %v", c.ID, c.Ours)
		}
	}
	if err := store.SetContainerDirectoryFile(other.ID, buildahFile, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if others, err := s.External(t.Context()); err != nil || len(others) != 1 || others[0].ID != other.ID || !others[0].Buildah {
		t.Errorf("external %v, %v", others, err)
	}
	if users, err := s.Users(t.Context(), img.ID); err != nil || len(users) != 1 || users[0].ID != other.ID {
		t.Errorf("users %v, %v", users, err)
	}
}

func TestConfigAndSizes(t *testing.T) {
	s := newStore(t, "vfs")
	base := addImage(t, s, "a", "")
	top := addImage(t, s, "b", base.TopLayer)
	c, err := s.Config(t.Context(), top)
	if err != nil || c.Config.Cmd[0] != "/b" || c.Config.Labels["name"] != "b" || c.ManifestType != typeOCIManifest {
		t.Errorf("got %+v, %v", c, err)
	}
	tree, err := s.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	size, shared, err := tree.Size(top)
	if err != nil || shared <= 0 || size < 2*shared {
		t.Errorf("size %d, shared %d, %v", size, shared, err)
	}
	if chain := tree.Layers(top.TopLayer); len(chain) != 2 || chain[1].ID != base.TopLayer {
		t.Errorf("chain %v", chain)
	}
}

func TestNames(t *testing.T) {
	s := newStore(t, "vfs")
	a, b := addImage(t, s, "a", "", "localhost/x:latest"), addImage(t, s, "b", "")
	if err := s.AddNames(t.Context(), b.ID, "localhost/x:latest", "localhost/y:1"); err != nil {
		t.Fatal(err)
	}
	if img, err := s.ImageByID(t.Context(), a.ID); err != nil || len(img.Names) != 0 {
		t.Errorf("the old one keeps %v, %v", img.Names, err)
	}
	if err := s.RemoveNames(t.Context(), b.ID, "localhost/x:latest"); err != nil {
		t.Fatal(err)
	}
	if img, _, err := s.Image(t.Context(), "y:1"); err != nil || len(img.Names) != 1 {
		t.Errorf("%v, %v", img.Names, err)
	}
	if err := s.AddNames(t.Context(), containerID(9), "localhost/z:1"); !errdefs.IsNotFound(err) {
		t.Errorf("names of nothing: %v", err)
	}
}

// BenchmarkLifecycle measures the store's part of "hull run --rm".
func BenchmarkLifecycle(b *testing.B) {
	for name, volatile := range map[string]bool{"volatile": true, "durable": false} {
		s := newStore(b, "overlay")
		img := addImage(b, s, "file", "", "localhost/file:latest")
		id, ctx := containerID(5), b.Context()
		steps := []struct {
			name string
			do   func() error
		}{
			{"image", func() error { _, _, err := s.Image(ctx, "file"); return err }},
			{"config", func() error { _, err := s.Config(ctx, img); return err }},
			{"create", func() error {
				_, err := s.CreateContainer(ctx, CreateOptions{ID: id, ImageID: img.ID, Volatile: volatile})
				return err
			}},
			{"mount", func() error { _, err := s.Mount(ctx, id); return err }},
			{"unmount", func() error { return s.Unmount(ctx, id) }},
			{"delete", func() error { return s.Delete(ctx, id) }},
		}
		b.Run(name, func(b *testing.B) {
			spent := make([]float64, len(steps))
			for b.Loop() {
				for i, step := range steps {
					start := now()
					if err := step.do(); err != nil {
						b.Fatal(err)
					}
					spent[i] += now() - start
				}
			}
			for i, step := range steps {
				b.ReportMetric(spent[i]/float64(b.N), step.name+"-ms")
			}
		})
	}
}

func now() float64 { return float64(time.Now().UnixNano()) / 1e6 }
