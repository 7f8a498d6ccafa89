package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"hull.dev/hull/pkg/transfer"
)

// helloName is the built-in image's name.
const helloName = "localhost/hello:latest"

// hello packs hull's own greeting program as an image. Nothing in it depends on when or where it is packed: one program
// makes one digest.
func (j *job) hello(ctx context.Context) (transfer.Result, error) {
	program, err := os.ReadFile(j.request.HelloPath)
	if err != nil {
		return transfer.Result{}, fmt.Errorf("read the program of the built-in image: %w", err)
	}
	// Not the program's own time: an installer sets that.
	when := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err = w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o755, Size: int64(len(program)), ModTime: when})
	if err == nil {
		_, err = w.Write(program)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return transfer.Result{}, err
	}
	data := layer.Bytes()
	d := digest.FromBytes(data)
	b, err := newBundle(v1.Image{
		Created:  &when,
		Platform: v1.Platform{Architecture: runtime.GOARCH, OS: runtime.GOOS},
		Config: v1.ImageConfig{
			Cmd:    []string{"/hello"},
			Env:    []string{"PATH=/"},
			Labels: map[string]string{v1.AnnotationTitle: "hello", v1.AnnotationDescription: "what hull greets new users with"},
		},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{d}},
		History: []v1.History{{Created: &when, CreatedBy: "contrib/hello", Comment: "built into hull"}},
	}, layerFile{
		Descriptor: v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: d, Size: int64(len(data))}, diffID: d,
		blob: blob{int64(len(data)), func() (io.ReadCloser, error) {
			return section{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}, nil
		}},
	})
	if err != nil {
		return transfer.Result{}, err
	}
	b.names = []string{helloName}
	return j.put(ctx, []*bundle{b})
}
