package images

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

func TestMain(m *testing.M) {
	if layers.Reexec() {
		return
	}
	os.Exit(m.Run())
}

// rig is a service over a store of its own. hull-image and the containers are played by the test.
type rig struct {
	*Service
	t       *testing.T
	removed []string
	jobs    []transfer.Request
	now     time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a store needs root or a user namespace")
	}
	dir := t.TempDir()
	s, err := layers.Open(layers.Options{Root: dir + "/root", RunRoot: dir + "/run", Driver: "vfs"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	r.Service = New(Config{Layers: s, Transfer: r, Containers: remover{r}, HelloPath: "/hello"})
	return r
}

// Run plays hull-image.
func (*rig) Ahead() func() { return func() {} }

func (r *rig) Run(_ context.Context, q transfer.Request, _ *os.File, _ func(transfer.Progress)) (transfer.Result, error) {
	r.jobs = append(r.jobs, q)
	switch q.Op {
	case transfer.OpHello:
		id := r.add("", "hello", "localhost/hello:latest")
		return transfer.Result{Images: []transfer.Image{{ID: id, Names: []string{"localhost/hello:latest"}}}}, nil
	case transfer.OpLoad:
		return transfer.Result{Images: []transfer.Image{{ID: "1", Names: []string{"a", "b"}}, {ID: "2"}}}, nil
	}
	return transfer.Result{Images: []transfer.Image{{ID: "1"}}}, nil
}

type remover struct{ r *rig }

func (m remover) Remove(ctx context.Context, ref string, _ define.RemoveOptions) error {
	m.r.removed = append(m.r.removed, ref)
	return m.r.layers.Delete(ctx, ref)
}

func (m remover) ReleaseImage(ctx context.Context, imageID string) error {
	return m.r.layers.Release(ctx, imageID)
}

func (m remover) UsingImage(ctx context.Context, imageID string) (ids []string, err error) {
	all, err := m.r.layers.Containers(ctx)
	for _, c := range all {
		if c.Ours && c.ImageID == imageID {
			ids = append(ids, c.ID)
		}
	}
	return ids, err
}

func (m remover) UsedImages(ctx context.Context) (map[string]int, error) {
	all, err := m.r.layers.Containers(ctx)
	used := map[string]int{}
	for _, c := range all {
		if c.Ours {
			used[c.ImageID]++
		}
	}
	return used, err
}

// add makes an image with one layer on top of parent's, an hour after the one before.
func (r *rig) add(parent, label string, names ...string) string {
	r.t.Helper()
	store, err := r.layers.Raw()
	if err != nil {
		r.t.Fatal(err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	_ = w.WriteHeader(&tar.Header{Name: label, Mode: 0o644, Size: 4})
	_, _ = w.Write([]byte("data"))
	_ = w.Close()
	diffs, steps, below := "", "", ""
	if parent != "" {
		p, err := r.layers.ImageByID(r.t.Context(), parent)
		if err != nil {
			r.t.Fatal(err)
		}
		c, err := r.layers.Config(r.t.Context(), p)
		if err != nil {
			r.t.Fatal(err)
		}
		below = p.TopLayer
		for i, d := range c.RootFS.DiffIDs {
			diffs += fmt.Sprintf("%q,", d)
			steps += fmt.Sprintf(`{"created":%q,"created_by":%q},`, c.History[i].Created.Format(time.RFC3339), c.History[i].CreatedBy)
		}
	}
	layer, _, err := store.PutLayer("", below, nil, "", false, nil, &buf)
	if err != nil {
		r.t.Fatal(err)
	}
	r.now = r.now.Add(time.Hour)
	when := r.now.Format(time.RFC3339)
	config := fmt.Appendf(nil, `{"created":%q,"os":"linux","config":{"Labels":{"l":%q}},"rootfs":{"type":"layers","diff_ids":[%s%q]},"history":[%s{"created":%q,"created_by":"step %s"}]}`,
		when, label, diffs, layer.UncompressedDigest, steps, when, label)
	id := digest.FromBytes(config)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"config":{"digest":%q},"layers":[]}`, id)
	_, err = store.CreateImage(id.Encoded(), names, layer.ID, "", &storage.ImageOptions{
		Digest: digest.FromBytes(manifest),
		BigData: []storage.ImageBigDataOption{
			{Key: "manifest", Data: manifest, Digest: digest.FromBytes(manifest)}, {Key: id.String(), Data: config, Digest: id},
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id.Encoded()
}

func (r *rig) container(n, image string) string {
	r.t.Helper()
	id := strings.Repeat(n, 64)
	if _, err := r.layers.CreateContainer(r.t.Context(), layers.CreateOptions{ID: id, ImageID: image}); err != nil {
		r.t.Fatal(err)
	}
	return id
}

func TestListFilters(t *testing.T) {
	r := newRig(t)
	base := r.add("", "base")
	top := r.add(base, "top", "localhost/top:1", "quay.io/x/top:2")
	alone := r.add("", "alone")
	r.container("a", top)
	short := map[string]string{base: "base", top: "top", alone: "alone"}
	for filters, want := range map[string]string{
		"": "alone top", "dangling=true": "alone", "dangling=false": "top", "intermediate=true": "base",
		"label=l=top": "top", "label=l": "alone top", "label!=l=top": "alone", "reference=top": "top", "reference=*/x/*": "top",
		"reference=x/top": "top", "reference=nothing": "", "containers=true": "top", "containers=external": "",
		"before=" + alone[:12]: "top", "since=top:1": "alone", "after=top:1": "alone", "id=" + top[:5]: "top", "readonly=true": "",
		"manifest=false": "alone top", "until=2026-01-01T02:30:00Z": "top", "until=1": "",
		"reference=top dangling=true": "", "id=" + top[:5] + " id=" + alone[:5]: "alone top",
	} {
		list, err := r.List(t.Context(), define.ImageListOptions{Filters: strings.Fields(filters)})
		if err != nil {
			t.Errorf("%q: %v", filters, err)
		}
		var got []string
		for _, s := range list {
			got = append(got, short[s.ID])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %v, want %s", filters, got, want)
		}
	}
	all, err := r.List(t.Context(), define.ImageListOptions{All: true})
	if err != nil || len(all) != 3 || all[1].ParentID != base {
		t.Errorf("all: %+v, %v", all, err)
	}
	for filter, why := range map[string]string{
		"danglin=true": `"dangling"`, "dangling=maybe": "true or false", "before=nosuch": "not known", "until=x": "duration", "x": "filter=value",
	} {
		if _, err := r.List(t.Context(), define.ImageListOptions{Filters: []string{filter}}); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", filter, err)
		}
	}
}

func TestRemove(t *testing.T) {
	r := newRig(t)
	base := r.add("", "base")
	mid := r.add(base, "mid")
	top := r.add(mid, "top", "localhost/top:1", "localhost/top:2")
	ctx := t.Context()

	done, failed := r.Remove(ctx, []string{top[:12]}, define.ImageRemoveOptions{})
	if len(done) != 0 || len(failed) != 1 || !strings.Contains(failed[0].Error(), "more than one tag") || errs.Exit(failed[0]) != 125 {
		t.Errorf("by id: %v, %v", done, failed)
	}
	done, failed = r.Remove(ctx, []string{"top:2"}, define.ImageRemoveOptions{})
	if len(failed) != 0 || done[0].Deleted != "" || !slices.Equal(done[0].Untagged, []string{"localhost/top:2"}) {
		t.Errorf("one of two names: %v, %v", done, failed)
	}
	c := r.container("b", top)
	_, failed = r.Remove(ctx, []string{"top:1"}, define.ImageRemoveOptions{})
	if len(failed) != 1 || errs.Exit(failed[0]) != 2 || !strings.Contains(failed[0].Error(), "image used by "+c) {
		t.Errorf("in use: %v", failed)
	}
	done, failed = r.Remove(ctx, []string{"top:1"}, define.ImageRemoveOptions{Force: true})
	if len(failed) != 0 || len(done) != 3 || done[0].Deleted != top || done[2].Deleted != base || !slices.Equal(r.removed, []string{c}) {
		t.Errorf("force: %v, %v, containers %v", done, failed, r.removed)
	}
	_, failed = r.Remove(ctx, []string{"top:1", "other"}, define.ImageRemoveOptions{})
	if len(failed) != 2 || errs.Exit(failed[0]) != 1 || failed[1].Error() != "other: image not known" {
		t.Errorf("missing: %v", failed)
	}
	if _, failed = r.Remove(ctx, []string{"other"}, define.ImageRemoveOptions{Ignore: true}); len(failed) != 0 {
		t.Errorf("ignore: %v", failed)
	}
}

func TestRemoveLeavesOthersContainers(t *testing.T) {
	r := newRig(t)
	id := r.add("", "x", "localhost/x:1")
	store, err := r.layers.Raw()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateContainer("", []string{"podmans"}, id, "", `{"name":"podmans"}`, nil); err != nil {
		t.Fatal(err)
	}
	_, failed := r.Remove(t.Context(), []string{"x:1"}, define.ImageRemoveOptions{Force: true})
	if len(failed) != 1 || errs.Exit(failed[0]) != 2 || len(r.removed) != 0 {
		t.Errorf("%v, removed %v", failed, r.removed)
	}
}

func TestRemoveAllWithParents(t *testing.T) {
	r := newRig(t)
	base := r.add("", "base", "localhost/base:1")
	r.add(base, "one", "localhost/one:1", "localhost/two:1")
	r.add(base, "two")
	_, failed := r.Remove(t.Context(), nil, define.ImageRemoveOptions{All: true})
	left, err := r.List(t.Context(), define.ImageListOptions{All: true})
	if len(failed) != 0 || err != nil || len(left) != 0 {
		t.Errorf("left %v, %v, %v", left, failed, err)
	}
}

func TestInspectAndHistory(t *testing.T) {
	r := newRig(t)
	base := r.add("", "base")
	top := r.add(base, "top", "localhost/top:1")
	i, err := r.Inspect(t.Context(), "top:1")
	if err != nil || i.ID != top || i.Parent != base || i.Labels["l"] != "top" || len(i.RootFS.Layers) != 2 || i.Size == 0 ||
		i.GraphDriver.Name != "vfs" || i.RepoTags[0] != "localhost/top:1" || len(i.RepoDigests) != 1 {
		t.Errorf("%+v, %v", i, err)
	}
	h, err := r.History(t.Context(), "top:1")
	if err != nil || len(h) != 2 || h[0].ID != top || h[1].ID != base || h[0].CreatedBy != "step top" || h[1].Size == 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := r.History(t.Context(), "nosuch"); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
}

func TestTagUntagExists(t *testing.T) {
	r := newRig(t)
	r.add("", "x", "localhost/x:1")
	if err := r.Tag(t.Context(), "x:1", []string{"y", "quay.io/z:2"}); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]bool{"y:latest": true, "quay.io/z:2": true, "z": false} {
		if got, err := r.Exists(t.Context(), ref); err != nil || got != want {
			t.Errorf("%q: %v, %v", ref, got, err)
		}
	}
	if err := r.Tag(t.Context(), "x:1", []string{"Bad"}); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
	if err := r.Untag(t.Context(), "y", []string{"nosuch"}); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
	if err := r.Untag(t.Context(), "y", nil); err != nil {
		t.Error(err)
	}
	if there, _ := r.Exists(t.Context(), "x:1"); there {
		t.Error("it has a name yet")
	}
}

func TestResolve(t *testing.T) {
	r := newRig(t)
	id := r.add("", "x", "localhost/x:latest")
	img, name, err := r.Resolve(t.Context(), "x", "")
	if err != nil || img.ID != id || name != "localhost/x:latest" || img.Labels["l"] != "x" {
		t.Errorf("%+v, %q, %v", img, name, err)
	}
	if _, _, err := r.Resolve(t.Context(), "hello", "never"); !errdefs.IsNotFound(err) || len(r.jobs) != 0 {
		t.Errorf("hello under never: %v, %v", err, r.jobs)
	}
	if _, name, err := r.Resolve(t.Context(), "hello", "missing"); err != nil || name != "localhost/hello:latest" {
		t.Errorf("hello: %q, %v", name, err)
	}
	if _, _, err := r.Resolve(t.Context(), "nosuch", "missing"); err == nil || err.Error() != "nosuch: image not known" || errs.Hint(err) != "hull pull nosuch fetches it" {
		t.Errorf("%v, hint %q", err, errs.Hint(err))
	}
	if _, _, err := r.Resolve(t.Context(), "x", "nver"); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
	if img, _, err := r.Resolve(t.Context(), "x", "always"); err != nil || img.ID != id {
		t.Errorf("fetched before: %+v, %v", img, err)
	}
}

func TestLoadAndImport(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := r.Load(t.Context(), LoadOptions{Archive: Archive{Path: path}})
	if err != nil || strings.Join(names, " ") != "a b sha256:2" || r.jobs[0].Path != path {
		t.Errorf("%v, %v, %+v", names, err, r.jobs)
	}
	if _, err := r.Load(t.Context(), LoadOptions{Archive: Archive{Path: "nosuch"}}); !errdefs.IsNotFound(err) || err.Error() != "open nosuch: no such file or directory" {
		t.Error(err)
	}
	if _, err := r.Import(t.Context(), ImportOptions{Archive: Archive{Path: path}, Name: "me"}); err != nil || r.jobs[1].Import.Name != "localhost/me:latest" {
		t.Errorf("%v, %+v", err, r.jobs)
	}
	if _, err := r.Import(t.Context(), ImportOptions{Archive: Archive{Path: "https://x"}}); !errdefs.IsNotImplemented(err) {
		t.Error(err)
	}
}
