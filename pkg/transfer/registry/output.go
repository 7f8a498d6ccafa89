package registry

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// outputFD is where hull wants an archive.
const outputFD = 1

// pipeSize is how many bytes of an archive are on their way at most: the most that everybody may have (pipe(7)). Whoever waits
// for the other end is woken once for many writes.
const pipeSize = 1 << 20

// toOutput calls write with the path of a pipe and copies what comes through it to descriptor 1, whatever that is. The
// library wants paths, and it would hold the reading end of a pipe that it opens itself, so that it waits forever when
// the reader goes away.
func (j *job) toOutput(ctx context.Context, write func(ctx context.Context, path string) error) (err error) {
	// Under its own number a write to a pipe that nobody reads is a SIGPIPE, which ends this process without an answer.
	fd, err := unix.FcntlInt(outputFD, unix.F_DUPFD_CLOEXEC, outputFD+1)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	out := os.NewFile(uintptr(fd), "output")
	defer func() { err = errors.Join(err, out.Close()) }()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, pipeSize) // the kernel may allow less
	copied := make(chan error, 1)
	go func() { // ends with the pipe: when all of its writers are closed, or when the output takes no more
		// The two have ways of their own to copy, by parts of 32 kB.
		_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{r}, make([]byte, pipeSize/4))
		_ = r.Close() // what is still being written gets EPIPE
		copied <- err
	}()
	written := make(chan error, 1)
	go func() { // ends with the job, or when the process does: see stuck
		err := write(ctx, fmt.Sprintf("/proc/self/fd/%d", w.Fd()))
		_ = w.Close()
		written <- err
	}()
	select {
	case err = <-written:
	case <-ctx.Done():
		return stuck(ctx, written)
	}
	select {
	case outErr := <-copied:
		if outErr != nil { // the cause of what write says
			return fmt.Errorf("write %s: %w", j.request.Source, cause(outErr))
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stuck waits a moment for the end of a job that is cancelled. It cannot end while nobody reads the output.
func stuck(ctx context.Context, written <-chan error) error {
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	select {
	case <-written:
	case <-t.C:
	}
	return context.Cause(ctx)
}

// cause is err without the name that the file has here.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	if sysErr, ok := errors.AsType[*os.SyscallError](err); ok {
		return sysErr.Err
	}
	return err
}

// tarLayout writes the files of dir to path as a tar whose bytes depend on the files alone.
func tarLayout(ctx context.Context, dir, path string) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := tar.NewWriter(out)
	err = filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || file == dir {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
		if e.IsDir() {
			h.Name, h.Mode, h.Typeflag = name+"/", 0o755, tar.TypeDir
			return w.WriteHeader(h)
		}
		return addFile(w, h, file)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

func addFile(w *tar.Writer, h *tar.Header, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
