package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer/staging"
)

// reserve is how many bytes a job leaves free on the disk of the store.
const reserve = 64 << 20

// stage is where a job keeps what it cannot read in place: a folder of the store's disk, because archives are as big as images,
// and /tmp may be memory.
type stage struct {
	dir    string
	lock   *os.File
	packed atomic.Int64 // bytes of the image that are here: came from the registry, or lie in the archive
}

// newStage makes a folder for this job and removes those of jobs that were killed.
func newStage(graphRoot string) (*stage, error) {
	_ = staging.Sweep(graphRoot) // what keeps folders from being made will be told
	dir, lock, err := staging.Claim(graphRoot, staging.Blobs)
	if err != nil {
		return nil, err
	}
	return &stage{dir: dir, lock: lock}, nil
}

func (s *stage) close() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }

// keep copies r into a file without a name, at most to the reserve of the disk, and until enough is an error for the bytes
// that it has.
func (s *stage) keep(ctx context.Context, r io.Reader, what string, enough func(bytes int64) error) (_ *os.File, err error) {
	f, err := s.unnamed()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	const step = 16 << 20 // bytes between two looks at the disk
	kept := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.free() <= step {
			return nil, noSpace(what, "holds")
		}
		n, err := io.CopyN(f, r, step)
		if kept += n; err == nil {
			err = enough(kept)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			return nil, noSpace(what, "holds")
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

func (s *stage) unnamed() (*os.File, error) {
	fd, err := unix.Open(s.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), s.dir+"/(unnamed)"), nil
	}
	f, err := os.CreateTemp(s.dir, "") // a file system without O_TMPFILE; the folder goes with the job
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// free is how many bytes the disk has beyond the reserve.
func (s *stage) free() int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return 1 << 62 // the write itself will tell
	}
	return int64(st.Bavail)*st.Bsize - reserve
}

func noSpace(what, does string) error {
	return &archiveError{errs.WithHint(
		errdefs.ErrResourceExhausted.WithMessage(fmt.Sprintf("archive %q: it %s more than the disk of the store has room for", what, does)),
		"hull rmi removes images that are not needed; --root names another disk",
	)}
}
