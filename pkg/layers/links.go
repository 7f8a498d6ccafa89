package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.podman.io/storage/pkg/lockfile"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/reference"
)

// The overlay driver has a short link to each layer, overlay/l/NAME, by which mounts name it, and the name in overlay/LAYER/link. The
// library writes that file by open(2) and write(2): a process that is killed between them leaves it empty, and with it the library takes
// all links away when it removes the layer, and so every image. guardLinks keeps it from that; what was lost all the same, as by podman, mendLinks
// makes anew out of the files.

// linksDir holds the links.
func (s *Store) linksDir() string { return filepath.Join(s.overlayHome(), "l") }

// lockLayers keeps the library from making and removing layers until it is called again.
func (s *Store) lockLayers() (unlock func(), err error) {
	lock, err := lockfile.GetLockFile(filepath.Join(s.options.GraphRoot, "overlay-layers", "layers.lock"))
	if err != nil {
		return nil, err
	}
	lock.Lock()
	return lock.Unlock, nil
}

// guardLinks gives layers that were not finished, which the library is about to remove, a name in place of an empty one.
func (s *Store) guardLinks() error {
	return withFound(s, s.unfinished, func(unfinished []string) (err error) {
		for _, id := range unfinished {
			err = errors.Join(err, s.nameUnfinished(id))
		}
		return err
	})
}

// nameUnfinished completes the file "link" of a layer, where it is not: by the name of the link that leads to the layer, so that the library
// takes that away too, or else by one that no link has.
func (s *Store) nameUnfinished(id string) error {
	dir := filepath.Join(s.overlayHome(), id)
	data, err := os.ReadFile(filepath.Join(dir, "link"))
	if err == nil && len(data) > 0 {
		return nil
	}
	if _, gone := os.Stat(dir); gone != nil {
		return nil //nolint:nilerr // it was about to be made
	}
	links, err := os.ReadDir(s.linksDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name := "unfinished"
	for _, l := range links {
		if target, _ := os.Readlink(filepath.Join(s.linksDir(), l.Name())); target == filepath.Join("..", id, "diff") {
			name = l.Name()
		}
	}
	return os.WriteFile(filepath.Join(dir, "link"), []byte(name), 0o600) //nolint:forbidigo // an empty one is found again
}

// tendLinks is called before the library is.
func (s *Store) tendLinks() error {
	if _, err := os.Stat(filepath.Join(s.options.GraphRoot, "overlay-layers", "layers.json")); err != nil {
		return nil //nolint:nilerr // another driver, or an empty store
	}
	if err := s.guardLinks(); err != nil || !s.noLinks() {
		return err
	}
	_, err := s.mendLinks()
	return err
}

// unfinished are the layers that the library has in the making, or that a process which was killed left so.
func (s *Store) unfinished() ([]string, error) {
	var ids []string
	for _, name := range []string{"layers.json", "volatile-layers.json"} {
		data, err := os.ReadFile(filepath.Join(s.options.GraphRoot, "overlay-layers", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !bytes.Contains(data, []byte(`"incomplete"`)) {
			continue
		}
		var records []struct {
			ID    string         `json:"id"`
			Flags map[string]any `json:"flags"`
		}
		if err := json.Unmarshal(data, &records); err != nil {
			continue // the library says what is wrong with it
		}
		for _, r := range records {
			if _, ok := r.Flags["incomplete"]; ok && reference.IsID(r.ID) {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids, nil
}

// lostLinks are the layers to which no link leads, with the links' names.
func (s *Store) lostLinks() (map[string]string, error) {
	entries, err := os.ReadDir(s.overlayHome())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // another driver, or an empty store
	}
	if err != nil {
		return nil, err
	}
	lost := map[string]string{}
	for _, e := range entries {
		if !reference.IsID(e.Name()) {
			continue
		}
		link, err := os.ReadFile(filepath.Join(s.overlayHome(), e.Name(), "link"))
		name := strings.TrimSpace(string(link))
		if err != nil || name == "" || strings.ContainsAny(name, "./") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(s.linksDir(), name)); errors.Is(err, fs.ErrNotExist) {
			lost[e.Name()] = name
		}
	}
	return lost, nil
}

// withFound calls do with what find finds, if anything, while nobody makes or removes a layer.
func withFound[T []string | map[string]string](s *Store, find func() (T, error), do func(T) error) error {
	if found, err := find(); err != nil || len(found) == 0 {
		return err
	}
	unlock, err := s.lockLayers()
	if err != nil {
		return err
	}
	defer unlock()
	found, err := find()
	if err != nil || len(found) == 0 {
		return err
	}
	return do(found)
}

// mendLinks makes the links anew that were lost, and reports whether there were any.
func (s *Store) mendLinks() (mended bool, err error) {
	err = withFound(s, s.lostLinks, func(lost map[string]string) error {
		if err := os.MkdirAll(s.linksDir(), 0o755); err != nil {
			return err
		}
		for id, name := range lost {
			if err := os.Symlink(filepath.Join("..", id, "diff"), filepath.Join(s.linksDir(), name)); err != nil {
				return err
			}
		}
		mended = true
		return nil
	})
	return mended, err
}

// dropStrayLinks takes links away whose layers are gone, of processes that were killed before they had written the name down.
func (s *Store) dropStrayLinks() error {
	links, err := os.ReadDir(s.linksDir())
	if err != nil || len(links) == 0 {
		return nil
	}
	unlock, err := s.lockLayers()
	if err != nil {
		return err
	}
	defer unlock()
	for _, l := range links {
		path := filepath.Join(s.linksDir(), l.Name())
		target, err := os.Readlink(path)
		if err != nil || !reference.IsID(filepath.Base(filepath.Dir(target))) {
			continue
		}
		if _, err := os.Lstat(filepath.Dir(filepath.Join(s.linksDir(), target))); errors.Is(err, fs.ErrNotExist) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// withLinks does what needs the links of layers, again when some were lost.
func withLinks[T any](s *Store, do func() (T, error)) (T, error) {
	done, err := do()
	if !errors.Is(err, fs.ErrNotExist) && !errs.IsNotFound(err) {
		return done, err
	}
	if mended, mending := s.mendLinks(); !mended || mending != nil {
		return done, err
	}
	return do()
}

// noLinks reports whether all links are gone.
func (s *Store) noLinks() bool {
	dir, err := os.Open(s.linksDir())
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer dir.Close()
	_, err = dir.Readdirnames(1)
	return errors.Is(err, io.EOF)
}
