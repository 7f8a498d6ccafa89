package registry

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"go.podman.io/image/v5/pkg/compression"
)

// maxFiles bounds the files of one layer: each takes an inode, also when it is empty.
const maxFiles = 4 << 20

// checkLayer walks over a layer, compressed or not, before the store sees it, and returns the bytes of its files: the
// tar must be whole, lead nowhere out of its root and fit the disk.
func (j *job) checkLayer(ctx context.Context, r io.Reader, what string) (int64, error) {
	plainTar, compressed, err := compression.AutoDecompress(r)
	if err != nil {
		return 0, j.bad("%s: %v", what, err)
	}
	defer plainTar.Close()
	in := io.Reader(plainTar)
	if seeker, ok := r.(io.ReadSeeker); ok && !compressed { // the tar reader then skips contents instead of reading them
		if _, err := seeker.Seek(0, io.SeekStart); err == nil {
			in = seeker
		}
	}
	var total int64
	free := j.stage.free()
	t := tar.NewReader(in)
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return total, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return 0, j.bad("%s ends early; it was cut off or is damaged", what)
		case err != nil && n == 0:
			return 0, j.bad("%s is not a tar archive", what)
		case err != nil:
			return 0, j.bad("%s is damaged: %v", what, err)
		case n == maxFiles:
			return 0, j.bad("%s has more than %d files", what, maxFiles)
		case leadsOut(h.Name), h.Typeflag == tar.TypeLink && leadsOut(h.Linkname):
			return 0, j.bad("%s: the path %q leads out of the root file system", what, h.Name+arrow(h))
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if total += h.Size; total > free || total < 0 {
			return 0, noSpace(j.request.Source, "unpacks to")
		}
	}
}

// leadsOut reports whether a name in a tar means something above its root.
func leadsOut(name string) bool {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	return clean == ".." || strings.HasPrefix(clean, "../")
}

func arrow(h *tar.Header) string {
	if h.Typeflag == tar.TypeLink {
		return " → " + h.Linkname
	}
	return ""
}
