package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/transfer"
)

func TestMain(m *testing.M) {
	if layers.Reexec() {
		return
	}
	if job := os.Getenv(confinedJob); job != "" {
		os.Exit(confined(job))
	}
	os.Exit(m.Run())
}

// file is one entry of a tar that a test makes.
type file struct {
	name, data, link string
	typ              byte
	size             int64 // says so in the header; 0: as many as there are
}

func makeTar(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), Linkname: f.link, Typeflag: f.typ}
		if f.typ == 0 {
			h.Typeflag = tar.TypeReg
		}
		if f.size > 0 {
			h.Size = f.size
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(f.data)); err != nil {
			tb.Fatal(err)
		}
	}
	_ = w.Close() // complains about a size that lies
	return buf.Bytes()
}

func zipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(data)
	if err := errorsJoin(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func errorsJoin(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// dockerSave makes an archive of one image with this layer.
func dockerSave(tb testing.TB, layer []byte, tags ...string) []byte {
	tb.Helper()
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Cmd":["/x"]},"rootfs":{"type":"layers","diff_ids":[%q]},"history":[{"created_by":"test"}]}`,
		digest.FromBytes(layer))
	toc, err := json.Marshal([]savedImage{{Config: "c.json", RepoTags: tags, Layers: []string{"l/layer.tar"}}})
	if err != nil {
		tb.Fatal(err)
	}
	return makeTar(tb, file{name: "l/layer.tar", data: string(layer)}, file{name: "c.json", data: config}, file{name: "manifest.json", data: string(toc)})
}

// ociFiles are the files of a layout with one image, whose layer is blob and whose config says diff.
func ociFiles(tb testing.TB, blob []byte, diff digest.Digest) []file {
	tb.Helper()
	return ociFilesOf(tb, blob, diff, "application/vnd.oci.image.layer.v1.tar+gzip")
}

func ociFilesOf(tb testing.TB, blob []byte, diff digest.Digest, mediaType string) []file {
	tb.Helper()
	config := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`, diff)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		digest.FromBytes(config), len(config), mediaType, digest.FromBytes(blob), len(blob))
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"localhost/o:1"}}]}`,
		digest.FromBytes(manifest), len(manifest))
	at := func(data []byte) string { return "blobs/sha256/" + digest.FromBytes(data).Encoded() }
	return []file{
		{name: "oci-layout", data: `{"imageLayoutVersion":"1.0.0"}`},
		{name: "index.json", data: index},
		{name: at(manifest), data: string(manifest)},
		{name: at(config), data: string(config)},
		{name: at(blob), data: string(blob)},
	}
}

// rig is a store and a way to run jobs on it.
type rig struct {
	tb     testing.TB
	dir    string
	driver string
	store  *layers.Store
}

func newRig(tb testing.TB) *rig {
	tb.Helper()
	return newRigOn(tb, "vfs")
}

// onDrivers runs a test on a store that unpacks layers itself, and on one that takes over what was unpacked here.
func onDrivers(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	for _, driver := range []string{"vfs", "overlay"} {
		t.Run(driver, func(t *testing.T) { test(t, newRigOn(t, driver)) })
	}
}

func newRigOn(tb testing.TB, driver string) *rig {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("a store needs root or a user namespace")
	}
	r := &rig{tb: tb, dir: tb.TempDir(), driver: driver}
	var err error
	tb.Cleanup(func() { _ = unix.Unmount(r.dir+"/root/overlay", unix.MNT_DETACH) }) // the driver mounts it over itself
	r.store, err = layers.Open(layers.Options{Root: r.dir + "/root", RunRoot: r.dir + "/run", Driver: driver})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func (r *rig) run(op string, archive []byte, o transfer.Import) (transfer.Result, error) {
	r.tb.Helper()
	path := filepath.Join(r.dir, "archive")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		r.tb.Fatal(err)
	}
	return r.job(transfer.Request{Op: op, Path: path, Source: "archive", Import: o})
}

func (r *rig) job(q transfer.Request) (transfer.Result, error) {
	q.Store = transfer.Store{Root: r.dir + "/root", RunRoot: r.dir + "/run", Driver: r.driver}
	return handle(r.tb.Context(), q, func(transfer.Progress) {}, unconfined)
}

// clean fails the test unless the store holds n images and nothing that none of them needs.
func (r *rig) clean(n int) {
	r.tb.Helper()
	tree, err := r.store.Tree(context.WithoutCancel(r.tb.Context()))
	if err != nil {
		r.tb.Fatal(err)
	}
	if len(tree.Images) != n || len(tree.UnusedLayers()) != 0 {
		r.tb.Errorf("%d images, want %d; unused layers %v", len(tree.Images), n, tree.UnusedLayers())
	}
	if left, err := os.ReadDir(r.dir + "/root/hull-image"); err == nil && len(left) != 0 {
		r.tb.Errorf("left in the stage: %v", left)
	}
	folders := 0
	for _, pattern := range []string{"vfs/dir/*", "overlay/????????????????????????????????????????????????????????????????", "overlay/tempdirs/hull-*"} {
		found, err := filepath.Glob(r.dir + "/root/" + pattern)
		if err != nil {
			r.tb.Fatal(err)
		}
		folders += len(found)
	}
	if folders > n {
		r.tb.Errorf("%d folders of layers for %d images", folders, n)
	}
}

func TestLoad(t *testing.T) {
	layer := makeTar(t, file{name: "x", data: "hello"}, file{name: "y", typ: tar.TypeSymlink, link: "/etc/passwd"})
	docker := dockerSave(t, layer, "localhost/a:1", "b")
	oci := makeTar(t, ociFiles(t, zipped(t, layer), digest.FromBytes(layer))...)
	for name, c := range map[string]struct {
		archive []byte
		names   string
	}{
		"docker":    {docker, "localhost/a:1 docker.io/library/b:latest"},
		"docker gz": {zipped(t, docker), "localhost/a:1 docker.io/library/b:latest"},
		"oci":       {oci, "localhost/o:1"},
		"oci gz":    {zipped(t, oci), "localhost/o:1"},
		"no name":   {dockerSave(t, layer), ""},
	} {
		t.Run(name, func(t *testing.T) {
			onDrivers(t, func(t *testing.T, r *rig) {
				t.Helper()
				result, err := r.run(transfer.OpLoad, c.archive, transfer.Import{})
				if err != nil || len(result.Images) != 1 || strings.Join(result.Images[0].Names, " ") != c.names {
					t.Fatalf("%+v, %v", result, err)
				}
				again, err := r.run(transfer.OpLoad, c.archive, transfer.Import{})
				if err != nil || again.Images[0].ID != result.Images[0].ID {
					t.Errorf("the second time: %+v, %v", again, err)
				}
				r.clean(1)
			})
		})
	}
}

func TestLoadFolder(t *testing.T) {
	r := newRig(t)
	layer := makeTar(t, file{name: "x", data: "hello"})
	dir := t.TempDir()
	for _, f := range ociFiles(t, zipped(t, layer), digest.FromBytes(layer)) {
		path := filepath.Join(dir, f.name)
		if err := errorsJoin(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(f.data), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.job(transfer.Request{Op: transfer.OpLoad, Path: dir, Source: "folder"}); err != nil {
		t.Error(err)
	}
	r.clean(1)
}

func TestImport(t *testing.T) {
	r := newRig(t)
	rootfs := makeTar(t, file{name: "bin/sh", data: "x"})
	result, err := r.run(transfer.OpImport, rootfs, transfer.Import{
		Name: "localhost/i:1", Changes: []string{`CMD ["a","b"]`, "ENV K=v", "WORKDIR /w", "WORKDIR sub", "EXPOSE 80", "LABEL a=b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.store.ImageByID(t.Context(), result.Images[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.store.Config(t.Context(), img)
	if err != nil || c.Config.WorkingDir != "/w/sub" || c.Config.Cmd[1] != "b" || c.Config.Labels["a"] != "b" || len(c.Config.ExposedPorts) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := r.run(transfer.OpImport, zipped(t, rootfs), transfer.Import{}); err != nil {
		t.Error(err)
	}
	r.clean(2)
}

func TestHelloIsReproducible(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hello")
	if err := os.WriteFile(program, []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for range 2 {
		r := newRig(t)
		result, err := r.job(transfer.Request{Op: transfer.OpHello, HelloPath: program, Source: "hello"})
		if err != nil || result.Images[0].Names[0] != "localhost/hello:latest" {
			t.Fatalf("%+v, %v", result, err)
		}
		ids[result.Images[0].ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("one program made %d images", len(ids))
	}
}

// Each bad archive is one line that names it, of the right class, and leaves the store as it was.
func TestBadArchives(t *testing.T) {
	layer := makeTar(t, file{name: "x", data: strings.Repeat("hello", 1000)})
	good := dockerSave(t, layer, "localhost/good:1")
	oci := ociFiles(t, zipped(t, layer), digest.FromBytes(layer))
	change := func(i int, data string) []byte {
		f := append([]file(nil), oci...)
		f[i].data = data
		return makeTar(t, f...)
	}
	gz := zipped(t, good)
	escaping := makeTar(t, file{name: "../../x", data: "x"})
	cases := map[string]struct {
		archive []byte
		why     string
	}{
		"oci escapes":      {makeTar(t, ociFiles(t, zipped(t, escaping), digest.FromBytes(escaping))...), "leads out"},
		"foreign escapes":  {makeTar(t, ociFilesOf(t, zipped(t, escaping), digest.FromBytes(escaping), "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")...), "leads out"},
		"empty":            {nil, "it is empty"},
		"garbage":          {[]byte(strings.Repeat("garbage", 1000)), "neither a tar archive nor a folder"},
		"text":             {[]byte("hi"), "neither a tar archive"},
		"truncated":        {good[:len(good)/2], "ends early"},
		"truncated gz":     {gz[:len(gz)-20], "ends early"},
		"no image":         {makeTar(t, file{name: "etc/passwd"}), "no images"},
		"bad toc":          {makeTar(t, file{name: "manifest.json", data: "["}), "manifest.json is damaged"},
		"empty toc":        {makeTar(t, file{name: "manifest.json", data: "[]"}), "no image in it"},
		"missing config":   {makeTar(t, file{name: "manifest.json", data: `[{"Config":"../../etc/passwd"}]`}), "does not exist"},
		"bad tag":          {dockerSave(t, layer, "Bad Tag"), "image name"},
		"layer escapes":    {dockerSave(t, escaping), "leads out"},
		"hardlink escapes": {dockerSave(t, makeTar(t, file{name: "x", typ: tar.TypeLink, link: "../../../etc/shadow"})), "leads out"},
		"layer cut":        {dockerSave(t, layer[:2000]), "ends early"},
		"layer no tar":     {dockerSave(t, []byte(strings.Repeat("no tar", 500))), "not a tar archive"},
		"bomb":             {dockerSave(t, makeTar(t, file{name: "x", size: 1 << 50})), "unpacks to more than"},
		"wrong layer":      {change(4, string(zipped(t, makeTar(t, file{name: "evil"})))), "manifest says"},
		"wrong config":     {change(3, strings.Replace(oci[3].data, "amd64", "mmd64", 1)), "wrong digest"},
		"wrong manifest":   {change(2, strings.Replace(oci[2].data, "gzip", "gzop", 1)), "wrong digest"},
		"digest is a path": {change(1, `{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`), "not a digest"},
		"wrong diff id":    {makeTar(t, ociFiles(t, zipped(t, layer), digest.FromString("other"))...), ""},
		"big manifest":     {makeTar(t, file{name: "manifest.json", data: strings.Repeat(" ", maxIndex+1)}), "more than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onDrivers(t, func(t *testing.T, r *rig) {
				t.Helper()
				if _, err := r.run(transfer.OpLoad, good, transfer.Import{}); err != nil {
					t.Fatal(err)
				}
				_, err := r.run(transfer.OpLoad, c.archive, transfer.Import{})
				if err == nil {
					t.Fatal("it was loaded")
				}
				text := err.Error()
				if !strings.Contains(text, c.why) || !strings.Contains(text, "archive") || strings.Contains(text, "\n") {
					t.Errorf("got %q, want %q", text, c.why)
				}
				if c.why != "" && !errdefs.IsInvalidArgument(err) && !errdefs.IsResourceExhausted(err) {
					t.Errorf("class of %v", err)
				}
				r.clean(1)
			})
		})
	}
}

// A damaged second image takes the first one back with it.
func TestLoadIsAllOrNothing(t *testing.T) {
	onDrivers(t, loadIsAllOrNothing)
}

func loadIsAllOrNothing(t *testing.T, r *rig) { //nolint:thelper // it is the test
	one, two := makeTar(t, file{name: "1", data: "1"}), makeTar(t, file{name: "2", data: "2"})
	config := func(layer []byte) string {
		return fmt.Sprintf(`{"os":"linux","rootfs":{"type":"layers","diff_ids":[%q]}}`, digest.FromBytes(layer))
	}
	archive := makeTar(t,
		file{name: "1.tar", data: string(one)}, file{name: "2.tar", data: string(two)},
		file{name: "1.json", data: config(one)}, file{name: "2.json", data: config(one)},
		file{name: "3.json", data: strings.Replace(config(two), "linux", "other", 1)}, file{name: "4.json", data: `{"a":1,` + config([]byte("not two"))[1:]},
		file{name: "manifest.json", data: `[{"Config":"1.json","Layers":["1.tar"],"RepoTags":["localhost/a:1"]},{"Config":"4.json","Layers":["2.tar"]}]`},
	)
	_, err := r.run(transfer.OpLoad, archive, transfer.Import{})
	if err == nil || !strings.Contains(err.Error(), "wrong digest") {
		t.Errorf("got %v", err)
	}
	r.clean(0)
}

// A damaged upper layer takes the one below it back, and leaves one that was there before.
func TestLoadTakesItsLayersBack(t *testing.T) {
	r := newRigOn(t, "overlay")
	one, two, three := makeTar(t, file{name: "1", data: "1"}), makeTar(t, file{name: "2", data: "2"}), makeTar(t, file{name: "3", data: "3"})
	archive := func(third digest.Digest, layers ...[]byte) []byte {
		diffs := []string{digest.FromBytes(one).String(), digest.FromBytes(two).String(), third.String()}[:len(layers)]
		config, err := json.Marshal(map[string]any{"os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": diffs}})
		if err != nil {
			t.Fatal(err)
		}
		files, names := []file{{name: "c.json", data: string(config)}}, []string{}
		for i, l := range layers {
			names = append(names, fmt.Sprintf("%d.tar", i))
			files = append(files, file{name: names[i], data: string(l)})
		}
		toc, err := json.Marshal([]any{map[string]any{"Config": "c.json", "Layers": names}})
		if err != nil {
			t.Fatal(err)
		}
		return makeTar(t, append(files, file{name: "manifest.json", data: string(toc)})...)
	}
	if _, err := r.run(transfer.OpLoad, archive("", one), transfer.Import{}); err != nil {
		t.Fatal(err)
	}
	_, err := r.run(transfer.OpLoad, archive(digest.FromString("other"), one, two, three), transfer.Import{})
	if err == nil || !strings.Contains(err.Error(), "wrong digest") {
		t.Errorf("got %v", err)
	}
	r.clean(1)
	if _, err := r.run(transfer.OpLoad, archive(digest.FromBytes(three), one, two, three), transfer.Import{}); err != nil {
		t.Error(err)
	}
}

func TestChanges(t *testing.T) {
	for change, why := range map[string]string{
		"CMD": "KEY VALUE", "FOO x": "invalid instruction FOO", "EXPOSE x": "integer", "EXPOSE 70000": "valid port",
		"EXPOSE 1/icmp": "protocol", "STOPSIGNAL NOPE": "valid signal", "ENV =x": "at least one", "ENTRYPIONT x": `"ENTRYPOINT"`,
		"USER ": "must provide", "ONBUILD RUN x": "invalid instruction",
	} {
		if _, err := changed([]string{change}); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", change, err)
		}
	}
	c, err := changed([]string{`ENTRYPOINT ["/a"]`, "cmd echo hi", `ENV A="b c"`, "VOLUME /v /w", "STOPSIGNAL SIGTERM", "USER=me"})
	if err != nil || c.Entrypoint[0] != "/a" || c.Cmd[2] != "echo hi" || c.Env[0] != "A=b c" || len(c.Volumes) != 2 || c.StopSignal != "15" || c.User != "me" {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzIndexTar(f *testing.F) {
	f.Add(makeTar(f, file{name: "manifest.json", data: "[]"}, file{name: "l", typ: tar.TypeSymlink, link: "l"}))
	f.Add(dockerSave(f, makeTar(f, file{name: "x"}), "a:1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		archive, err := indexTar(file)
		if err != nil {
			return
		}
		defer func() { _ = archive.close() }()
		for name := range archive.entries {
			if _, err := readAll(archive, name, 1<<20); err != nil && !strings.Contains(err.Error(), "exist") && !strings.Contains(err.Error(), "circle") {
				t.Errorf("%q: %v", name, err)
			}
		}
		j := &job{request: transfer.Request{Source: "a"}, stage: &stage{dir: t.TempDir()}}
		_, _ = j.bundles(archive)
	})
}
