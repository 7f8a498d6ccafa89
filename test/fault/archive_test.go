package fault

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"hull.dev/hull/test/env"
)

func itoa(n int) string { return strconv.Itoa(n) }

// archive is an archive as docker save makes it, with the image archived:latest.
func archive(base string) string { return filepath.Join(base, "archive.tar") }

func writeArchive(t *testing.T, base string) {
	t.Helper()
	layer, err := os.ReadFile(env.Busybox(base, env.Profile{}))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]},"history":[{"created_by":"a test"}]}`, sha256.Sum256(layer))
	manifest := `[{"Config":"config.json","RepoTags":["archived:latest"],"Layers":["layer.tar"]}]`
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		name string
		data []byte
	}{{"config.json", []byte(config)}, {"manifest.json", []byte(manifest)}, {"layer.tar", layer}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive(base), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
