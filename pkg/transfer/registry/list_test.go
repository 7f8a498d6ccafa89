package registry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// lister has jobs on lists in a store with the image a:1.
type lister struct {
	*rig
	t *testing.T
}

func newLister(t *testing.T) (lister, string) {
	t.Helper()
	r, img := loaded(t)
	return lister{r, t}, img.ID
}

func (l lister) add(o transfer.List) string {
	l.t.Helper()
	result, err := l.job(transfer.Request{Op: transfer.OpListAdd, List: o})
	if err != nil {
		l.t.Fatal(err)
	}
	return result.Images[0].ID
}

func (l lister) read(id string) *layers.ManifestList {
	l.t.Helper()
	img, err := l.store.ImageByID(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	list, err := l.store.ManifestList(l.t.Context(), img)
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

func TestListAddAndPush(t *testing.T) {
	l, image := newLister(t)
	id := l.add(transfer.List{Name: "localhost/l:1", References: []string{"a:1"}, Annotations: map[string]string{"v": "1"}})
	list := l.read(id)
	if len(list.Manifests) != 1 || list.Manifests[0].Platform.OS != "linux" || list.Annotations["v"] != "1" ||
		!strings.HasSuffix(list.Sources[list.Manifests[0].Digest], "]@"+image) {
		t.Fatalf("%+v, %v", list, list.Sources)
	}
	dir := filepath.Join(t.TempDir(), "d")
	push := transfer.Push{ID: id, List: true, AllImages: true, Destination: "oci:" + dir + ":x"}
	result, err := l.job(transfer.Request{Op: transfer.OpPush, Push: push})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(result.Digest, "sha256:"))); err != nil {
		t.Error(err)
	}
	// What is there is a list: the image for this machine, or all, and a new platform for one.
	seen, err := l.job(transfer.Request{Op: transfer.OpListInspect, List: transfer.List{References: []string{"oci:" + dir + ":x"}}})
	var index layers.ManifestList
	if err != nil || json.Unmarshal(seen.Manifest, &index) != nil || len(index.Manifests) != 1 {
		t.Fatalf("%s, %v", seen.Manifest, err)
	}
	other := l.add(transfer.List{Name: "localhost/m:1", References: []string{"oci:" + dir + ":x"}, All: true, Entry: transfer.Entry{OSVersion: "3"}})
	if got := l.read(other).Manifests; len(got) != 1 || got[0].Platform.OSVersion != "3" || got[0].Digest != index.Manifests[0].Digest {
		t.Errorf("%+v", got)
	}
	// A list of the store gives what it has, from where that came.
	third := l.add(transfer.List{Name: "localhost/n:1", References: []string{"m:1"}, All: true})
	if got := l.read(third); got.Sources[index.Manifests[0].Digest] != "oci:"+dir+":x" {
		t.Errorf("%v", got.Sources)
	}
	push.ID, push.Destination = third, "dir:"+filepath.Join(t.TempDir(), "e")
	if _, err := l.job(transfer.Request{Op: transfer.OpPush, Push: push}); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := l.job(transfer.Request{Op: transfer.OpPush, Push: push}); !errdefs.IsNotFound(err) {
		t.Errorf("its image is gone: %v", err)
	}
}

func TestListAddIsAllOrNothing(t *testing.T) {
	l, _ := newLister(t)
	id := l.add(transfer.List{Name: "localhost/l:1", References: []string{"a:1"}})
	for what, o := range map[string]transfer.List{
		"one that is not there": {ID: id, References: []string{"a:1", "localhost/nosuch"}, Entry: transfer.Entry{Annotations: map[string]string{"x": "y"}}},
		"a new list":            {Name: "localhost/new:1", References: []string{"localhost/nosuch"}},
	} {
		if _, err := l.job(transfer.Request{Op: transfer.OpListAdd, List: o}); !errdefs.IsNotFound(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := l.read(id).Manifests; len(got) != 1 || len(got[0].Annotations) > 0 {
		t.Errorf("%+v", got)
	}
	if _, _, err := l.store.Image(t.Context(), "localhost/new:1"); !errdefs.IsNotFound(err) {
		t.Errorf("a list was made: %v", err)
	}
	_, err := l.job(transfer.Request{Op: transfer.OpListAdd, List: transfer.List{ID: id, References: []string{"l:1"}, Entry: transfer.Entry{Arch: "never"}}})
	if !errdefs.IsNotFound(err) || !strings.Contains(errs.Hint(err), "--all") {
		t.Errorf("no image of a list: %v, %q", err, errs.Hint(err))
	}
}

// podman records the image's name, which may mean another by now; the digest says which one it was.
func TestListFindsByDigest(t *testing.T) {
	l, image := newLister(t)
	id := l.add(transfer.List{Name: "localhost/l:1", References: []string{"a:1"}})
	for what, source := range map[string]string{
		"a name that went": "containers-storage:[vfs@" + l.store.GraphRoot() + "+/run]localhost/other:1",
		"another image's":  "containers-storage:[vfs@" + l.store.GraphRoot() + "+/run]localhost/l:1",
		"nothing":          "",
		"a name and an id": "containers-storage:[vfs@" + l.store.GraphRoot() + "+/run]localhost/other:1@" + image,
	} {
		err := l.store.ChangeManifestList(t.Context(), id, func(list *layers.ManifestList) error {
			list.Sources[list.Manifests[0].Digest] = source
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		push := transfer.Push{ID: id, List: true, AllImages: true, Destination: "dir:" + filepath.Join(t.TempDir(), "d")}
		if _, err := l.job(transfer.Request{Op: transfer.OpPush, Push: push}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The credentials for where a list goes are not shown to where its images come from.
func TestListKeepsCredentials(t *testing.T) {
	j := &job{request: transfer.Request{
		Push: transfer.Push{Destination: "docker://a.example/x"}, Access: transfer.Access{User: "ann", Password: "pw", CertDir: "/c"},
	}}
	for where, want := range map[string]string{
		"docker://a.example/y:1": "ann", "docker://b.example/y:1": "", "oci:/x": "", "containers-storage:[a@/b+/c]x": "", "docker://A": "",
	} {
		if a := j.accessTo(where); a.User != want || (a.Password == "") != (want == "") || (a.CertDir == "") != (want == "") {
			t.Errorf("%s: %+v", where, a)
		}
	}
}
