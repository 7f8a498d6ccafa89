package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// reserve is how many bytes a job leaves free on the disk of the store.
const reserve = 64 << 20

// stage is where a job keeps what it cannot read in place: <graph root>/hull-image/<random>, mode 0700, locked with
// flock(2) while the job lives. It is on the store's disk, because archives are as big as images, and /tmp may be memory.
type stage struct {
	dir    string
	lock   *os.File
	packed atomic.Int64 // bytes that came from the registry for the image
}

// newStage makes a folder for this job and removes those of jobs that were killed.
func newStage(graphRoot string) (*stage, error) {
	sweep(filepath.Join(graphRoot, unpackedFolder), unpackedPrefix)
	parent := filepath.Join(graphRoot, "hull-image")
	sweep(parent, "")
	dir, lock, err := claim(parent, "")
	if err != nil {
		return nil, err
	}
	return &stage{dir: dir, lock: lock}, nil
}

// sweep removes the folders of processes that were killed: those that nobody has locked.
func sweep(parent, prefix string) {
	old, err := os.ReadDir(parent)
	if err != nil {
		return // there is none yet, mostly; what keeps others from being made will be told
	}
	for _, e := range old {
		if strings.HasPrefix(e.Name(), prefix) {
			removeStale(filepath.Join(parent, e.Name()))
		}
	}
}

// claim makes a folder in parent, whose name begins with prefix, and locks it.
func claim(parent, prefix string) (dir string, lock *os.File, err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, err
	}
	for {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return "", nil, err
		}
		if lock := lockDir(dir); lock != nil {
			return dir, lock, nil
		}
		// Another job took the new folder for a stale one, before it was locked.
	}
}

func (s *stage) close() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }

func removeStale(dir string) {
	if lock := lockDir(dir); lock != nil {
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}
}

// lockDir returns the locked folder, or nil when another process has it or it is gone.
func lockDir(dir string) *os.File {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil
	}
	mine, err := f.Stat()
	there, err2 := os.Lstat(dir)
	if err != nil || err2 != nil || !os.SameFile(mine, there) {
		_ = f.Close()
		return nil
	}
	return f
}

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
