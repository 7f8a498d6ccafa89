package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// files are what layers are made of: the regular files below /usr in their order, as far as everybody may read them, Debian's and so
// like those of most images. After the last one the first one comes again, in another folder.
type files struct {
	paths []string
	next  int
}

// usr lists them, once: there are a hundred thousand.
var usr = sync.OnceValues(func() (paths []string, err error) {
	err = filepath.WalkDir("/usr", func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission):
			return fs.SkipDir
		case err != nil:
			return err
		case path == "/usr/local":
			return filepath.SkipDir
		case d.Type().IsRegular():
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
})

// debian begins with the first one.
func (m *measurement) debian() *files {
	paths, err := usr()
	if err != nil || len(paths) == 0 {
		m.Fatalf("list the files in /usr: %d found: %v", len(paths), err)
	}
	return &files{paths: paths}
}

// layer writes a layer of so many bytes, the last file of which is cut.
func (f *files) layer(size int64) (string, error) {
	var out strings.Builder
	w := tar.NewWriter(&out)
	for left := size; left > 0; f.next++ {
		path := f.paths[f.next%len(f.paths)]
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return "", err
		}
		data = data[:min(int64(len(data)), left)]
		left -= int64(len(data))
		if round := f.next / len(f.paths); round > 0 {
			path = fmt.Sprintf("/%d%s", round, path)
		}
		if err := w.WriteHeader(&tar.Header{Name: path[1:], Mode: 0o644, Size: int64(len(data))}); err != nil {
			return "", err
		}
		if _, err := w.Write(data); err != nil {
			return "", err
		}
	}
	return out.String(), w.Close()
}
