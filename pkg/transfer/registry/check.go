package registry

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
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
	c := &tarEntries{job: j, what: what}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return 0, c.why(err)
		}
		if err := c.check(h.Name, h.Typeflag, h.Linkname); err != nil {
			return 0, err
		}
		if c.n%1024 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if total += h.Size; total > free || total < 0 {
			return 0, noSpace(j.request.Source, "unpacks to")
		}
	}
}

// tarEntries are those of one layer of an archive.
type tarEntries struct {
	job  *job
	what string
	n    int
}

// check is an error for an entry that may not be in a layer.
func (c *tarEntries) check(name string, kind byte, link string) error {
	c.n++
	switch {
	case c.n > maxFiles:
		return c.job.bad("%s has more than %d files", c.what, maxFiles)
	case leadsOut(name):
		return c.job.bad("%s: the path %q leads out of the root file system", c.what, name)
	case kind == tar.TypeLink && leadsOut(link):
		return c.job.bad("%s: the path %q leads out of the root file system", c.what, name+" → "+link)
	}
	return nil
}

// why says what is wrong with a tar that cannot be read further. What the system refused is not the tar's fault.
func (c *tarEntries) why(err error) error {
	_, ours := errors.AsType[*archiveError](err)
	_, system := errors.AsType[syscall.Errno](err)
	switch {
	case ours, system:
		return err
	case errdefs.IsResourceExhausted(err):
		return c.job.named(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return c.job.bad("%s ends early; it was cut off or is damaged", c.what)
	case c.n == 0:
		return c.job.bad("%s is not a tar archive", c.what)
	}
	return c.job.bad("%s is damaged: %v", c.what, err)
}

// leadsOut reports whether a name in a tar means something above its root.
func leadsOut(name string) bool {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	return clean == ".." || strings.HasPrefix(clean, "../")
}
