package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"go.podman.io/image/v5/signature/sigstore"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/transfer"
)

// loaded is a store with an image of one file.
func loaded(t *testing.T) (*rig, transfer.SaveImage) {
	t.Helper()
	return loadedOn(t, newRig(t))
}

func loadedOn(t *testing.T, r *rig) (*rig, transfer.SaveImage) {
	t.Helper()
	result, err := r.run(transfer.OpLoad, dockerSave(t, makeTar(t, file{name: "f", data: "data"}), "a:1"), transfer.Import{})
	if err != nil {
		t.Fatal(err)
	}
	return r, transfer.SaveImage{ID: result.Images[0].ID, Names: result.Images[0].Names}
}

// output runs fn while descriptor 1 is a new file, and returns what is in it then.
func output(t *testing.T, to *os.File, fn func()) {
	t.Helper()
	old, err := unix.Dup(outputFD)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errorsJoin(unix.Dup2(old, outputFD), unix.Close(old)); err != nil {
			t.Fatal(err)
		}
	}()
	if err := unix.Dup2(int(to.Fd()), outputFD); err != nil {
		t.Fatal(err)
	}
	fn()
}

func TestSaveArchives(t *testing.T) { onDrivers(t, saveArchives) }

func saveArchives(t *testing.T, r *rig) { //nolint:thelper // it is the test
	_, img := loadedOn(t, r)
	more, err := r.run(transfer.OpLoad, dockerSave(t, makeTar(t, file{name: "g", data: "other"})), transfer.Import{})
	if err != nil {
		t.Fatal(err)
	}
	other := transfer.SaveImage{ID: more.Images[0].ID, Names: []string{"localhost/more:1", "localhost/more:2"}}
	for name, c := range map[string]struct {
		save transfer.Save
		want []string // names after a load
	}{
		"docker":            {transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{img}}, img.Names},
		"docker, more":      {transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{img, other}}, append(slices.Clone(img.Names), other.Names...)},
		"docker, no name":   {transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{{ID: img.ID}}}, nil},
		"oci":               {transfer.Save{Format: transfer.FormatOCIArchive, Images: []transfer.SaveImage{other}}, other.Names},
		"oci, uncompressed": {transfer.Save{Format: transfer.FormatOCIArchive, Images: []transfer.SaveImage{img}, Uncompressed: true}, img.Names},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "f"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			output(t, f, func() {
				if _, err := r.job(transfer.Request{Op: transfer.OpSave, Save: c.save}); err != nil {
					t.Error(err)
				}
			})
			back := newRig(t)
			result, err := back.job(transfer.Request{Op: transfer.OpLoad, Path: f.Name(), Source: "f"})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, i := range result.Images {
				names = append(names, i.Names...)
			}
			slices.Sort(names)
			slices.Sort(c.want)
			if result.Images[0].ID != c.save.Images[0].ID && c.save.Format == transfer.FormatDockerArchive || !slices.Equal(names, c.want) {
				t.Errorf("%+v, want %s as %q", result.Images, c.save.Images[0].ID, c.want)
			}
			r.clean(2)
		})
	}
}

func TestSaveIsReproducible(t *testing.T) { onDrivers(t, saveIsReproducible) }

func saveIsReproducible(t *testing.T, r *rig) { //nolint:thelper // it is the test
	_, img := loadedOn(t, r)
	for _, format := range []string{transfer.FormatDockerArchive, transfer.FormatOCIArchive} {
		var last []byte
		for range 2 {
			f, err := os.Create(filepath.Join(t.TempDir(), "f"))
			if err != nil {
				t.Fatal(err)
			}
			output(t, f, func() {
				if _, err := r.job(transfer.Request{Op: transfer.OpSave, Save: transfer.Save{Format: format, Images: []transfer.SaveImage{img}}}); err != nil {
					t.Error(err)
				}
			})
			data, err := os.ReadFile(f.Name())
			if err := errorsJoin(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if last != nil && !bytes.Equal(last, data) {
				t.Errorf("%s: two archives of one image differ", format)
			}
			last = data
		}
		if _, err := tar.NewReader(bytes.NewReader(last)).Next(); err != nil {
			t.Error(err)
		}
	}
}

// An output that takes no more ends the job with its own error, and not the process.
// A file of a layer that is not what it was is not saved.
func TestSaveOfADamagedLayer(t *testing.T) {
	r, img := loadedOn(t, newRigOn(t, "overlay"))
	found, err := filepath.Glob(r.dir + "/root/overlay/*/diff/f")
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	if err := os.WriteFile(found[0], []byte("dada"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	output(t, f, func() {
		_, err = r.job(transfer.Request{Op: transfer.OpSave, Save: transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{img}}})
	})
	if err == nil || !strings.Contains(err.Error(), `the file "f" of a layer is not what it was`) {
		t.Errorf("got %v", err)
	}
}

// TestSaveStaysInLayers: a link in a layer leads nowhere else when the layer is packed again. The file below the link is in the layer's own
// folder of that name, and not in the machine's.
func TestSaveStaysInLayers(t *testing.T) {
	onDrivers(t, func(t *testing.T, r *rig) {
		t.Helper()
		outside := t.TempDir()
		if err := os.WriteFile(filepath.Join(outside, "f"), []byte("of the machine"), 0o600); err != nil {
			t.Fatal(err)
		}
		var files []file
		for dir := outside; dir != "/"; dir = filepath.Dir(dir) {
			files = append([]file{{name: dir[1:] + "/", typ: tar.TypeDir}}, files...)
		}
		up := strings.Repeat("../", strings.Count(outside, "/")+9)
		files = append(files,
			file{name: "absolute", typ: tar.TypeSymlink, link: outside}, file{name: "absolute/f", data: "of the layer 1"},
			file{name: "relative", typ: tar.TypeSymlink, link: up + outside[1:]}, file{name: "relative/g", data: "of the layer 2"},
		)
		loaded, err := r.run(transfer.OpLoad, dockerSave(t, makeTar(t, files...), "a:1"), transfer.Import{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		save := transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{{ID: loaded.Images[0].ID}}}
		output(t, f, func() {
			if _, err := r.job(transfer.Request{Op: transfer.OpSave, Save: save}); err != nil {
				t.Error(err)
			}
		})
		back := newRig(t)
		result, err := back.job(transfer.Request{Op: transfer.OpLoad, Path: f.Name(), Source: "f"})
		if err != nil || result.Images[0].ID != loaded.Images[0].ID {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

// TestSaveOfAnotherStore: the layers of an additional image store are packed from their folders too.
func TestSaveOfAnotherStore(t *testing.T) {
	r, img := loadedOn(t, newRigOn(t, "overlay"))
	dir := t.TempDir()
	t.Cleanup(func() { _ = unix.Unmount(dir+"/root/overlay", unix.MNT_DETACH) }) // as in newRigOn
	// The library has a lock of a folder that is written to, or one of a folder that is read, in one process.
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", r.dir+"/root", dir+"/other").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	q := transfer.Request{Op: transfer.OpSave, Save: transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{img}}}
	q.Store = transfer.Store{
		Root: dir + "/root", RunRoot: dir + "/run", Driver: "overlay", DriverOptions: []string{"overlay.imagestore=" + dir + "/other"},
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	output(t, f, func() {
		if _, err := handle(t.Context(), q, func(transfer.Progress) {}, unconfined); err != nil {
			t.Error(err)
		}
	})
	result, err := newRig(t).job(transfer.Request{Op: transfer.OpLoad, Path: f.Name(), Source: "f"})
	if err != nil || result.Images[0].ID != img.ID {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestSaveToAnOutputThatFails(t *testing.T) {
	r, img := loaded(t)
	closed, w, err := os.Pipe()
	if err := errorsJoin(err, closed.Close()); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]*os.File{"broken pipe": w, "no space left on device": full} {
		for _, format := range []string{transfer.FormatDockerArchive, transfer.FormatOCIArchive} {
			output(t, f, func() {
				_, err := r.job(transfer.Request{Op: transfer.OpSave, Source: "it", Save: transfer.Save{Format: format, Images: []transfer.SaveImage{img}}})
				if err == nil || err.Error() != "write it: "+want {
					t.Errorf("%s: %v, want %q", format, err, want)
				}
			})
		}
		_ = f.Close()
	}
	r.clean(1)
}

// A job that is cancelled while nobody reads its output ends.
func TestSaveThatIsCancelled(t *testing.T) {
	r, img := loaded(t)
	q := transfer.Request{Op: transfer.OpSave, Save: transfer.Save{Format: transfer.FormatDockerArchive, Images: []transfer.SaveImage{img}}}
	q.Store = transfer.Store{Root: r.dir + "/root", RunRoot: r.dir + "/run", Driver: "vfs"}
	silent, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fd := int(w.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until it is full
		_, err = unix.Write(fd, make([]byte, 4096))
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	output(t, w, func() {
		_, err = handle(ctx, q, func(p transfer.Progress) {
			if strings.HasPrefix(p.Text, "Writing manifest") {
				cancel()
			}
		}, unconfined)
	})
	if err == nil || ctx.Err() == nil {
		t.Errorf("%v, %v; want that it is cancelled", err, ctx.Err())
	}
	_, _ = silent.Close(), w.Close()
}

func TestSaveFolders(t *testing.T) {
	r, img := loaded(t)
	parent := t.TempDir()
	target := filepath.Join(parent, "target")
	for i, format := range []string{transfer.FormatDockerDir, transfer.FormatDockerDir, transfer.FormatOCIDir} {
		dir := filepath.Join(parent, ".new")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := r.job(transfer.Request{Op: transfer.OpSave, Save: transfer.Save{
			Format: format, Images: []transfer.SaveImage{img}, Dir: dir, Target: target, Compress: i == 1,
		}}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{transfer.FormatDockerDir: "manifest.json", transfer.FormatOCIDir: "index.json"}[format]
		if data, err := os.ReadFile(filepath.Join(target, want)); err != nil || !json.Valid(data) {
			t.Errorf("%s: %q, %v", format, data, err)
		}
		if left, _ := os.ReadDir(parent); len(left) != 1 {
			t.Errorf("%s leaves %v", format, left)
		}
	}
	dir := filepath.Join(parent, ".new")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := r.job(transfer.Request{Op: transfer.OpSave, Save: transfer.Save{
		Format: transfer.FormatOCIDir, Images: []transfer.SaveImage{{ID: strings.Repeat("0", 64)}}, Dir: dir, Target: target + "2",
	}})
	if !errdefs.IsNotFound(err) {
		t.Errorf("an image that is not there: %v", err)
	}
	if left, _ := os.ReadDir(parent); len(left) != 1 {
		t.Errorf("a job that fails leaves %v", left)
	}
}

func TestSaveRefusesWhatHullDoesNotAsk(t *testing.T) {
	r, img := loaded(t)
	for name, s := range map[string]transfer.Save{
		"no image": {Format: transfer.FormatDockerArchive}, "format": {Format: "x", Images: []transfer.SaveImage{img}},
		"several": {Format: transfer.FormatOCIArchive, Images: []transfer.SaveImage{img, img}},
	} {
		if _, err := r.job(transfer.Request{Op: transfer.OpSave, Save: s}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPushToAFolder(t *testing.T) {
	r, img := loaded(t)
	dir := filepath.Join(t.TempDir(), "d")
	result, err := r.job(transfer.Request{Op: transfer.OpPush, Push: transfer.Push{ID: img.ID, Destination: "dir:" + dir, Format: "v2s2"}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil || !strings.HasPrefix(result.Digest, "sha256:") || !bytes.Contains(data, []byte("docker.distribution.manifest.v2")) {
		t.Errorf("%+v, %s, %v", result, data, err)
	}
	for destination, want := range map[string]string{
		"nosuch:x": "cannot be pushed to the transport", "docker:x": "invalid destination",
		"containers-storage:": "invalid destination",
	} {
		if _, err := r.job(transfer.Request{Op: transfer.OpPush, Push: transfer.Push{ID: img.ID, Destination: destination}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", destination, err, want)
		}
	}
}

// TestPushOfAnImageThatIsRemoved: the error is not about layers that nobody has heard of.
func TestPushOfAnImageThatIsRemoved(t *testing.T) {
	r, img := loaded(t)
	q := transfer.Request{Op: transfer.OpPush, Push: transfer.Push{ID: img.ID, Destination: "dir:" + filepath.Join(t.TempDir(), "d")}}
	q.Store = transfer.Store{Root: r.dir + "/root", RunRoot: r.dir + "/run", Driver: r.driver}
	store, err := r.store.Raw()
	if err != nil {
		t.Fatal(err)
	}
	_, err = handle(t.Context(), q, func(transfer.Progress) { _, _ = store.DeleteImage(img.ID, true) }, unconfined)
	if err == nil || !strings.Contains(err.Error(), "was removed while it was copied") {
		t.Errorf("got %v", err)
	}
}

func TestSigstoreParameters(t *testing.T) {
	dir := t.TempDir()
	keys, err := sigstore.GenerateKeyPair([]byte("let me in"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"key": string(keys.PrivateKey), "passphrase": "let me in\n", "wrong": "x",
		"good.yaml": "privateKeyFile: key\nprivateKeyPassphraseFile: passphrase\n", "asks.yaml": "privateKeyFile: key\n",
		"wrong.yaml": "privateKeyFile: key\nprivateKeyPassphraseFile: wrong\n", "none.yaml": "{}\n",
		"gone.yaml":   "privateKeyFile: key\nprivateKeyPassphraseFile: gone\n",
		"fulcio.yaml": "fulcio:\n  fulcioURL: https://localhost\n", "rekor.yaml": "privateKeyFile: key\nrekorURL: localhost\n",
		"both.yaml": "privateKeyFile: key\nfulcio:\n  fulcioURL: https://localhost\n", "server.yaml": "fulcio:\n  fulcioURL: localhost\n",
		"device.yaml": "fulcio:\n  fulcioURL: https://localhost\n  oidcMode: deviceGrant\n", "token.yaml": "fulcio:\n  fulcioURL: https://localhost\n  oidcMode: staticToken\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"good.yaml": "", "asks.yaml": "", "wrong.yaml": "decrypt", "none.yaml": "privateKeyFile", "gone.yaml": "gone",
		"fulcio.yaml": "is none of staticToken", "rekor.yaml": "rekorURL", "nosuch.yaml": "no such file", "both.yaml": "one key",
		"server.yaml": "fulcioURL", "device.yaml": "oidcMode: deviceGrant is not built", "token.yaml": "oidcIDToken",
	} {
		s, err := sigstoreSigner(filepath.Join(dir, name), []byte("let me in"))
		if err == nil {
			err = s.Close()
		}
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
