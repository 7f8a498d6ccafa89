package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/pkg/transfer"
)

// writer plays a hull-image that saves and pushes.
type writer struct {
	request transfer.Request
	fail    error
}

func (*writer) Ahead() func() { return func() {} }

func (w *writer) Run(_ context.Context, q transfer.Request, _ *os.File, progress func(transfer.Progress)) (transfer.Result, error) {
	w.request = q
	if progress != nil {
		progress(transfer.Progress{Text: "step"})
	}
	if q.Output != nil {
		if _, err := q.Output.WriteString("archive"); err != nil {
			return transfer.Result{}, err
		}
	}
	if w.fail == nil && q.Save.Target != "" {
		return transfer.Result{}, os.Rename(q.Save.Dir, q.Save.Target)
	}
	return transfer.Result{Digest: "sha256:d"}, w.fail
}

func writing(t *testing.T) (*rig, *writer, string) {
	t.Helper()
	r, w := newRig(t), &writer{}
	r.transfer = w
	return r, w, r.add("", "one", "localhost/one:latest")
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSave(t *testing.T) {
	r, w, id := writing(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "a.tar")
	for _, want := range []string{"one", "again"} { // the second replaces the first: its format is oci-archive
		format := map[string]string{"one": transfer.FormatDockerArchive, "again": transfer.FormatOCIArchive}[want]
		if err := r.Save(t.Context(), []string{"one", "more"}, SaveOptions{Format: format, Path: path}); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != "archive" {
			t.Errorf("%q, %v", data, err)
		}
	}
	if got := w.request.Save.Images; len(got) != 1 || got[0].ID != id || !slices.Equal(got[0].Names, []string{"localhost/one:latest", "localhost/more:latest"}) {
		t.Errorf("%+v", got)
	}
	other := r.add("", "two")
	if err := r.Save(t.Context(), []string{id, other, "one"}, SaveOptions{Format: transfer.FormatDockerArchive, Path: filepath.Join(dir, "b.tar"), Multi: true}); err != nil ||
		len(w.request.Save.Images) != 2 || w.request.Save.Images[0].Names[0] != "localhost/one:latest" || w.request.Save.Images[1].Names != nil {
		t.Errorf("%v, %+v", err, w.request.Save)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "target"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), []string{"one"}, SaveOptions{Format: transfer.FormatDockerArchive, Path: link}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "target")); err != nil || string(data) != "archive" {
		t.Errorf("behind a link: %q, %v", data, err)
	}
	if err := r.Save(t.Context(), []string{"one"}, SaveOptions{Format: transfer.FormatOCIDir, Path: filepath.Join(dir, "d")}); err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); !slices.Equal(got, []string{"a.tar", "b.tar", "d", "link", "target"}) {
		t.Errorf("there are %q", got)
	}
}

func TestSaveThatFailsLeavesNothing(t *testing.T) {
	r, w, _ := writing(t)
	w.fail = errors.New("no")
	dir := t.TempDir()
	for _, format := range SaveFormats {
		err := r.Save(t.Context(), []string{"one"}, SaveOptions{Format: format, Path: filepath.Join(dir, "x")})
		if got := left(t, dir); !errors.Is(err, w.fail) || len(got) != 0 {
			t.Errorf("%s: %v; %q are left", format, err, got)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	r, _, _ := writing(t)
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/there", []byte("x"), 0o600), os.Mkdir(dir+"/full", 0o700), os.WriteFile(dir+"/full/x", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		refs []string
		o    SaveOptions
		want string
	}{
		"file":      {[]string{"one"}, SaveOptions{Format: transfer.FormatDockerArchive, Path: dir + "/there"}, "modifying existing"},
		"folder":    {[]string{"one"}, SaveOptions{Format: transfer.FormatOCIArchive, Path: dir}, "is a directory"},
		"no folder": {[]string{"one"}, SaveOptions{Format: transfer.FormatDockerDir, Path: dir + "/none/x"}, "no such file"},
		"full":      {[]string{"one"}, SaveOptions{Format: transfer.FormatOCIDir, Path: dir + "/full"}, "not empty and is no OCI layout"},
		"full dir":  {[]string{"one"}, SaveOptions{Format: transfer.FormatDockerDir, Path: dir + "/full"}, "not empty"},
		"image":     {[]string{"nosuch"}, SaveOptions{Format: transfer.FormatDockerArchive, Path: dir + "/x"}, "nosuch: image not known"},
		"several":   {[]string{"one", "one"}, SaveOptions{Format: transfer.FormatOCIDir, Path: dir + "/x", Multi: true}, "only docker-archive"},
		"digest":    {[]string{"one", "a@sha256:" + strings.Repeat("0", 64)}, SaveOptions{Format: transfer.FormatDockerArchive, Path: dir + "/x"}, "not a digest"},
		"no name":   {[]string{"one", "A B"}, SaveOptions{Format: transfer.FormatDockerArchive, Path: dir + "/x"}, "A B"},
	} {
		if err := r.Save(t.Context(), c.refs, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestPush(t *testing.T) {
	r, w, id := writing(t)
	dir := t.TempDir()
	t.Chdir(dir)
	o := PushOptions{DigestFile: filepath.Join(dir, "digest")}
	o.EncryptionKeys = []string{"jwe:key.pem", "provider:x"}
	o.SigstoreKey = "key"
	for destination, want := range map[string]string{
		"": "docker://localhost/one:latest", "localhost:5000/x": "docker://localhost:5000/x", "docker://a/b": "docker://a/b", "dir:x": "dir:" + dir + "/x",
		"oci:/x:a:1": "oci:/x:a:1", "docker-archive:x:a:1": "docker-archive:" + dir + "/x:a:1", "containers-storage:a": "containers-storage:a",
	} {
		d, err := r.Push(t.Context(), "one", destination, o)
		if err != nil || d != "sha256:d" || w.request.Push.Destination != want || w.request.Push.ID != id {
			t.Errorf("%q: %v, %+v", destination, err, w.request.Push)
		}
	}
	p := w.request.Push
	if p.SigstoreKey != dir+"/key" || !slices.Equal(p.EncryptionKeys, []string{"jwe:" + dir + "/key.pem", "provider:x"}) {
		t.Errorf("%+v", p)
	}
	if data, err := os.ReadFile(o.DigestFile); err != nil || string(data) != "sha256:d" {
		t.Errorf("%q, %v", data, err)
	}
	w.fail = errors.New("no")
	if _, err := r.Push(t.Context(), "one", "dir:x", PushOptions{DigestFile: "other"}); !errors.Is(err, w.fail) || len(left(t, dir)) != 1 {
		t.Errorf("%v; %q are left", err, left(t, dir))
	}
	var wrong PushOptions
	wrong.Compress = true
	for _, c := range []struct {
		ref, to string
		o       PushOptions
	}{{id, "", PushOptions{}}, {"nosuch", "dir:x", PushOptions{}}, {"one", "oci:", PushOptions{}}, {"one", "a/b", wrong}, {"one", "dir:x", PushOptions{DigestFile: "none/x"}}} {
		if _, err := r.Push(t.Context(), c.ref, c.to, c.o); err == nil || errors.Is(err, w.fail) {
			t.Errorf("%q to %q: %v", c.ref, c.to, err)
		}
	}
}
