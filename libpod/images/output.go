package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/atomicfile"
)

// output is a file that a command was asked to write: whole or not at all. What is no regular file, such as a pipe that
// has a name, is written as it is.
type output struct {
	*os.File
	pending *atomicfile.Pending // nil: not a regular file
}

// openOutput opens a file for writing. Its mode is 0644 less the umask, as podman's: it is made to be handed on.
func openOutput(path string) (*output, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, opening(path, unix.EISDIR)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, opening(path, err)
		}
		return &output{File: f}, nil
	}
	target := path
	if err == nil { // a link is followed
		if target, err = filepath.EvalSymlinks(path); err != nil {
			return nil, opening(path, err)
		}
	}
	p, err := atomicfile.New(target, 0o644)
	if err != nil {
		return nil, opening(path, err)
	}
	return &output{p.File, p}, nil
}

// commit gives the file its name.
func (o *output) commit() error {
	if o.pending == nil {
		return o.Close()
	}
	return o.pending.Commit()
}

// drop closes the file; without commit nothing is left of it.
func (o *output) drop() error {
	if o.pending != nil {
		return o.pending.Close()
	}
	if err := o.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func opening(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("opening file %q: open %s: %w", path, path, err)
}
