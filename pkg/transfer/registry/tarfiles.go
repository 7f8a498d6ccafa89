package registry

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// files is an archive that is open for reading at any place: a tar, or a folder.
type files interface {
	// open returns a file and its size; fs.ErrNotExist when there is none of this name.
	open(name string) (io.ReadCloser, int64, error)
	close() error
}

// Limits of an archive's outer tar.
const (
	maxEntries = 100_000
	maxLinks   = 8
)

// tarFiles finds the files of a tar by an index made in one walk over its headers. Of two files with one name the first
// counts, as in go.podman.io/image.
type tarFiles struct {
	file    *os.File
	entries map[string]tarEntry
}

type tarEntry struct {
	offset, size int64
	link         string // of a link: the name that it leads to, from the root of the archive
}

var (
	errNotTar    = errors.New("it is neither a tar archive nor a folder")
	errTruncated = errors.New("it ends early; it was cut off or is damaged")
)

// indexTar walks over the headers of f, which it owns from then on.
func indexTar(f *os.File) (_ *tarFiles, err error) {
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t := &tarFiles{f, map[string]tarEntry{}}
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return t, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && (n > 0 || info.Size() >= 512): // 512: one header
			return nil, errTruncated
		case err != nil && n == 0:
			return nil, errNotTar
		case err != nil:
			return nil, fmt.Errorf("it is damaged after %d files: %w", n, err)
		case n == maxEntries:
			return nil, fmt.Errorf("it has more than %d files, no archive of images has", maxEntries)
		}
		e, err := entry(f, h)
		if err != nil {
			return nil, err
		}
		if e.offset+e.size > info.Size() {
			return nil, errTruncated
		}
		if name := path.Clean(h.Name); t.entries[name] == (tarEntry{}) {
			t.entries[name] = e
		}
	}
}

// entry describes the file whose header was read last: f stands at its first byte then, since the tar reader takes
// whole blocks and no more.
func entry(f *os.File, h *tar.Header) (tarEntry, error) {
	switch h.Typeflag {
	case tar.TypeSymlink:
		return tarEntry{link: path.Join(path.Dir(h.Name), h.Linkname)}, nil //nolint:gosec // a key of entries, never a path on the disk
	case tar.TypeLink:
		return tarEntry{link: path.Clean(h.Linkname)}, nil
	case tar.TypeReg:
	default:
		return tarEntry{offset: -1}, nil
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return tarEntry{}, fmt.Errorf("%q in it is sparse, which an archive of images has no use for", h.Name)
		}
	}
	offset, err := f.Seek(0, io.SeekCurrent)
	return tarEntry{offset: offset, size: h.Size}, err
}

func (t *tarFiles) open(name string) (io.ReadCloser, int64, error) {
	at := path.Clean(name)
	for range maxLinks {
		e, ok := t.entries[at]
		if !ok || e.offset < 0 {
			return nil, 0, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
		}
		if e.link == "" {
			return section{io.NewSectionReader(t.file, e.offset, e.size)}, e.size, nil
		}
		at = e.link
	}
	return nil, 0, fmt.Errorf("%q: links in it go in a circle: %w", name, fs.ErrNotExist)
}

func (t *tarFiles) close() error { return t.file.Close() }

// dirFiles is an unpacked archive. Links in it do not lead out of it.
type dirFiles struct{ root *os.Root }

func (d dirFiles) open(name string) (io.ReadCloser, int64, error) {
	f, err := d.root.Open(path.Clean(name))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a file: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func (d dirFiles) close() error { return d.root.Close() }

// readAll reads a small file whole; limit is in bytes.
func readAll(f files, name string, limit int64) ([]byte, error) {
	r, size, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > limit {
		return nil, fmt.Errorf("%q has %d bytes, more than the %d that are read", name, size, limit)
	}
	data := make([]byte, size)
	_, err = io.ReadFull(r, data)
	return data, err
}
