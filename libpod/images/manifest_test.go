package images

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

// withList is a service whose store has an image "a", for this machine, and a list "l" with it.
func withList(t *testing.T) (r *rig, image, list string) {
	t.Helper()
	r = newRig(t)
	image = r.add("", "a", "localhost/a:latest")
	list, err := r.lists().ManifestCreate(t.Context(), "l", nil, ManifestOptions{Index: map[string]string{"v": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.layers.ImageByID(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	err = r.layers.ChangeManifestList(t.Context(), list, func(l *layers.ManifestList) error {
		e := layers.ManifestEntry{MediaType: "m", Digest: img.Digest}
		e.Platform.OS, e.Platform.Architecture = "linux", runtime.GOARCH
		l.Set(e, "containers-storage:@"+image)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, image, list
}

func (r *rig) lists() Lists { return Lists{r.Service} }

func TestManifestCreateAndAdd(t *testing.T) {
	r, image, list := withList(t)
	if _, err := r.lists().ManifestCreate(t.Context(), "l", nil, ManifestOptions{}); !errdefs.IsAlreadyExists(err) || !strings.Contains(errs.Hint(err), "--amend") {
		t.Errorf("twice: %v, %q", err, errs.Hint(err))
	}
	if id, err := r.lists().ManifestCreate(t.Context(), "l", nil, ManifestOptions{Amend: true}); err != nil || id != list {
		t.Errorf("amend: %q, %v", id, err)
	}
	if _, err := r.lists().ManifestCreate(t.Context(), "a", nil, ManifestOptions{Amend: true}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an image amended: %v", err)
	}
	if _, err := r.lists().ManifestCreate(t.Context(), "x@sha256:"+image, nil, ManifestOptions{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a digest for a name: %v", err)
	}
	o := ManifestOptions{All: true, Entry: transfer.Entry{Arch: "arm64"}, Access: transfer.Access{AuthFile: "auth"}}
	if _, err := r.lists().ManifestAdd(t.Context(), "l", []string{"oci:x:1", "a"}, o); err != nil {
		t.Fatal(err)
	}
	job := r.jobs[len(r.jobs)-1]
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if job.Op != transfer.OpListAdd || job.List.ID != list || job.List.References[0] != "oci:"+wd+"/x:1" || job.List.References[1] != "a" ||
		!job.List.All || job.List.Entry.Arch != "arm64" || job.Access.AuthFile != wd+"/auth" {
		t.Errorf("%+v", job)
	}
	if _, err := r.lists().ManifestCreate(t.Context(), "new", []string{"a"}, ManifestOptions{}); err != nil {
		t.Fatal(err)
	}
	if job = r.jobs[len(r.jobs)-1]; job.List.ID != "" || job.List.Name != "localhost/new:latest" {
		t.Errorf("%+v", job.List)
	}
	if _, err := r.lists().ManifestAdd(t.Context(), "a", []string{"a"}, o); !errdefs.IsInvalidArgument(err) {
		t.Errorf("add to an image: %v", err)
	}
}

func TestManifestAnnotateAndRemove(t *testing.T) {
	r, image, _ := withList(t)
	img, err := r.layers.ImageByID(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	o := ManifestOptions{Entry: transfer.Entry{Variant: "v9"}, Index: map[string]string{"w": "2"}}
	for _, name := range []string{img.Digest, "a", "x@" + img.Digest} {
		if _, err := r.lists().ManifestAnnotate(t.Context(), "l", name, o); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := r.lists().ManifestAnnotate(t.Context(), "l", "", ManifestOptions{Index: map[string]string{"x": "3"}}); err != nil {
		t.Error(err)
	}
	data, err := r.lists().ManifestInspect(t.Context(), "l", transfer.Access{})
	for _, want := range []string{`"variant":"v9"`, `"w":"2"`, `"v":"1"`, `"x":"3"`} {
		if err != nil || !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s, %v: no %s", data, err, want)
		}
	}
	other := "sha256:" + strings.Repeat("0", 64)
	for _, name := range []string{other, "nosuch", "sha256:aaa"} {
		if _, err := r.lists().ManifestAnnotate(t.Context(), "l", name, o); err == nil {
			t.Errorf("%q was annotated", name)
		}
		if _, err := r.lists().ManifestRemove(t.Context(), "l", name); err == nil {
			t.Errorf("%q was removed", name)
		}
	}
	if _, err := r.lists().ManifestRemove(t.Context(), "l", img.Digest); err != nil {
		t.Error(err)
	}
	if data, err := r.lists().ManifestInspect(t.Context(), "l", transfer.Access{}); err != nil || bytes.Contains(data, []byte(img.Digest)) {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := r.lists().ManifestInspect(t.Context(), "oci:x", transfer.Access{}); err != nil || r.jobs[len(r.jobs)-1].Op != transfer.OpListInspect {
		t.Errorf("elsewhere: %v", err)
	}
}

// A list is the image for this machine where an image is wanted, and itself where it is removed.
func TestListAsImage(t *testing.T) {
	r, image, list := withList(t)
	if in, err := r.Inspect(t.Context(), "l"); err != nil || in.ID != image {
		t.Errorf("inspect: %q, %v", in.ID, err)
	}
	if img, name, err := r.Resolve(t.Context(), "l", ""); err != nil || img.ID != image || name != "localhost/l:latest" {
		t.Errorf("resolve: %q, %q, %v", img.ID, name, err)
	}
	if img, name, err := r.Resolve(t.Context(), list[:12], ""); err != nil || img.ID != image || name != image {
		t.Errorf("resolve by id: %q, %q, %v", img.ID, name, err)
	}
	push := func(o PushOptions) transfer.Push {
		t.Helper()
		if _, err := r.Push(t.Context(), "l", "dir:/x", o); err != nil {
			t.Fatal(err)
		}
		return r.jobs[len(r.jobs)-1].Push
	}
	if p := push(PushOptions{}); p.ID != image || p.List {
		t.Errorf("push: %+v", p)
	}
	if p := push(PushOptions{Push: transfer.Push{List: true}}); p.ID != list || !p.List || p.AllImages {
		t.Errorf("manifest push: %+v", p)
	}
	if _, err := r.Push(t.Context(), "a", "dir:/x", PushOptions{Push: transfer.Push{List: true}}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("manifest push of an image: %v", err)
	}
	if _, errs := r.Remove(t.Context(), []string{"a"}, define.ImageRemoveOptions{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	if there, err := r.Exists(t.Context(), "l"); there || err != nil {
		t.Errorf("exists without its image: %v, %v", there, err)
	}
	if p := push(PushOptions{}); p.ID != list || !p.List || !p.AllImages {
		t.Errorf("push of a list whose image is not here: %+v", p)
	}
	push(PushOptions{Push: transfer.Push{List: true}, RemoveList: true})
	if there, err := r.lists().ManifestExists(t.Context(), "l"); there || err != nil {
		t.Errorf("after push --rm: %v, %v", there, err)
	}
}

func TestManifestRm(t *testing.T) {
	r, _, list := withList(t)
	if _, errs := r.lists().ManifestRm(t.Context(), []string{"l", "a"}, define.ImageRemoveOptions{}); len(errs) != 1 || !errdefs.IsInvalidArgument(errs[0]) {
		t.Errorf("%v", errs)
	}
	if there, err := r.lists().ManifestExists(t.Context(), "l"); !there || err != nil {
		t.Errorf("it went beside an error: %v, %v", there, err)
	}
	if _, err := r.lists().ManifestExists(t.Context(), "a"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an image is a list: %v", err)
	}
	reports, errs := r.lists().ManifestRm(t.Context(), []string{"l", "nosuch"}, define.ImageRemoveOptions{Ignore: true})
	if len(errs) > 0 || len(reports) != 1 || reports[0].Deleted != list {
		t.Errorf("%+v, %v", reports, errs)
	}
}
