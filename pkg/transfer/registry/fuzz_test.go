package registry

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/transfer"
)

// memoryFiles is an archive in memory.
type memoryFiles map[string][]byte

func (m memoryFiles) open(name string) (io.ReadCloser, int64, error) {
	data, ok := m[name]
	if !ok {
		return nil, 0, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

func (memoryFiles) close() error { return nil }

func fuzzJob(t *testing.T) *job {
	t.Helper()
	return &job{request: transfer.Request{Source: "a"}, stage: &stage{dir: t.TempDir()}, say: func(string) {}}
}

// check fails the test for an error that is no line, and for a bundle with a layer that is not there.
func check(t *testing.T, bundles []*bundle, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	for _, b := range bundles {
		for _, d := range append(b.layers, b.config) {
			if _, ok := b.blobs[d]; !ok || d.Validate() != nil {
				t.Errorf("no blob for %s", d)
			}
		}
	}
}

// FuzzDockerArchive is the table of contents and a config of docker save's.
func FuzzDockerArchive(f *testing.F) {
	diff := digest.FromString("layer")
	f.Add([]byte(`[{"Config":"config","RepoTags":["a:1"],"Layers":["layer"]}]`), fmt.Appendf(nil, `{"rootfs":{"type":"layers","diff_ids":[%q]}}`, diff))
	f.Add([]byte(`[{"Config":"../config"}]`), []byte(`{"rootfs":null}`))
	f.Fuzz(func(t *testing.T, toc, config []byte) {
		bundles, err := fuzzJob(t).dockerBundles(memoryFiles{"manifest.json": toc, "config": config, "layer": []byte("layer")})
		check(t, bundles, err)
	})
}

// FuzzLayout is the index, a manifest and a config of an OCI layout; a digest stands for MANIFEST and CONFIG.
func FuzzLayout(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"MANIFEST","size":1,"annotations":{"org.opencontainers.image.ref.name":"a:1"}}]}`),
		[]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"CONFIG"},"layers":[]}`), []byte(`{"os":"linux"}`))
	f.Add([]byte(`{"manifests":[{"digest":"MANIFEST"},{"digest":"sha256:../../x"}]}`), []byte(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"CONFIG"}]}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, index, manifest, config []byte) {
		at := func(data []byte) string { return "blobs/sha256/" + digest.FromBytes(data).Encoded() }
		manifest = bytes.ReplaceAll(manifest, []byte("CONFIG"), []byte(digest.FromBytes(config)))
		index = bytes.ReplaceAll(index, []byte("MANIFEST"), []byte(digest.FromBytes(manifest)))
		bundles, err := fuzzJob(t).ociBundles(memoryFiles{"index.json": index, at(manifest): manifest, at(config): config})
		check(t, bundles, err)
	})
}

// FuzzLayer is a layer before the store sees it: one that is let through has no name above its root.
func FuzzLayer(f *testing.F) {
	f.Add(makeTar(f, file{name: "a", data: "x"}, file{name: "b", typ: tar.TypeLink, link: "a"}))
	f.Add(makeTar(f, file{name: "../a"}))
	f.Add(zipped(f, makeTar(f, file{name: "a", typ: tar.TypeLink, link: "/../../b"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := fuzzJob(t).checkLayer(t.Context(), bytes.NewReader(data), "layer"); err != nil {
			check(t, nil, err)
			return
		}
		for r := tar.NewReader(bytes.NewReader(data)); ; {
			h, err := r.Next()
			if err != nil {
				return
			}
			for part := range strings.SplitSeq(strings.TrimLeft(h.Name, "/"), "/") {
				if part != ".." {
					break
				}
				t.Errorf("let through: %q", h.Name)
			}
		}
	})
}

// FuzzNames is what a user or an archive calls an image or registry.
func FuzzNames(f *testing.F) {
	for _, text := range []string{"a", "docker://a/b:c", "localhost:5000/a@sha256:" + strings.Repeat("a", 64), "oci:/x:y", "https://a/", "[::1]:5000/a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if name, err := named(text); err == nil && name.Name() == "" {
			t.Errorf("%q: a name of nothing", text)
		}
		if transport, details, ok := cutTransport(text); ok && transport+":"+details != text {
			t.Errorf("%q is %q and %q", text, transport, details)
		}
		if key, err := registryKey(&types.SystemContext{}, text); err == nil && strings.HasSuffix(text, "/") && key == text {
			t.Errorf("%q is a registry", text)
		}
		if d := retryAfter(text, time.Now()); d < 0 {
			t.Errorf("Retry-After: %q is %s", text, d)
		}
	})
}

// FuzzMayBeAsked is a URL that a registry sends hull to: never one of the machine's own from one that is not.
func FuzzMayBeAsked(f *testing.F) {
	for _, text := range []string{"https://a/x", "http://127.1/", "http://[::1]/", "file:///etc/passwd", "http://LOCALHOST:1/", "//x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		if err := mayBeAsked(map[string]bool{"registry.example": false}, u); err == nil && ownAddress(u.Hostname()) {
			t.Errorf("%q may be asked", text)
		}
	})
}
