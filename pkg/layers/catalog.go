package layers

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
)

// images is what the storage library answers about images; storage.Store has it, and so has catalog.
type images interface {
	Image(key string) (*storage.Image, error) // by its id, a name, or a prefix of its id that no other has; ErrImageUnknown
	ImagesByDigest(d digest.Digest) ([]*storage.Image, error)
	Images() ([]storage.Image, error)
	ImageBigData(id, key string) ([]byte, error)
}

// catalog reads the library's records of images without the library, which opens all of the store for them, creates what it
// misses, and decodes every record: 0.75 ms of a run of 25, and more with each image (docs/design/0008). The library
// replaces images.json whole, so that without its lock one sees the records as they were or as they are.
type catalog struct {
	dir string            // GRAPHROOT/DRIVER-images
	raw []json.RawMessage // a record each
}

// images returns who answers about images: the records themselves, where one folder of a known driver has all of them, else
// the library.
func (s *Store) images(ctx context.Context) (images, error) {
	if c, err := s.catalog(); c != nil || err != nil {
		return c, err
	}
	return s.opened(ctx)
}

// catalog is nil where the library has to be asked: for additional image stores, an unknown driver, a store that is not made yet.
func (s *Store) catalog() (*catalog, error) {
	o := &s.options
	more := func(option string) bool { return strings.Contains(option, "imagestore") } // "overlay.imagestore=", "additionalimagestores"
	if o.GraphDriverName == "" || o.ImageStore != "" || slices.ContainsFunc(o.GraphDriverOptions, more) {
		return nil, nil //nolint:nilnil // an answer
	}
	dir := filepath.Join(o.GraphRoot, o.GraphDriverName+"-images")
	path := filepath.Join(dir, "images.json")
	st, err := os.Stat(path)
	if err != nil || st.Size() == 0 {
		return nil, nil //nolint:nilnil // the library tells what is wrong
	}
	s.seen.Lock()
	defer s.seen.Unlock()
	if s.seen.catalog != nil && os.SameFile(st, s.seen.info) && st.ModTime().Equal(s.seen.info.ModTime()) {
		return s.seen.catalog, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read images: %w", classed(err))
	}
	c := &catalog{dir: dir}
	if c.raw, err = records(data); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	s.seen.catalog, s.seen.info = c, st
	return c, nil
}

// records are the elements of the list that data is. Each of the library's begins with its id, and a quotation mark in a text has
// a backslash before it, so that the beginnings are found without a look at what is between them. Flags may hold anything: with
// them, or otherwise written, the list is parsed.
func records(data []byte) (list []json.RawMessage, err error) {
	const begin = `{"id":"`
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte("["+begin)) || !bytes.HasSuffix(data, []byte("}]")) || bytes.Contains(data, []byte(`"flags":`)) {
		return list, json.Unmarshal(data, &list)
	}
	rest := data[1 : len(data)-1]
	for {
		last := bytes.Index(rest, []byte("},"+begin))
		if last < 0 {
			break
		}
		list, rest = append(list, rest[:last+1]), rest[last+2:]
	}
	if list = append(list, rest); len(list) < bytes.Count(data, []byte(begin)) { // with white space between some
		list = nil
		return list, json.Unmarshal(data, &list)
	}
	return list, nil
}

// Image follows the library's order: an id, a name, a prefix of an id.
func (c *catalog) Image(key string) (*storage.Image, error) {
	var byName, byPrefix *storage.Image
	var prefixes int
	for img, err := range c.with(key) {
		switch {
		case err != nil:
			return nil, err
		case img.ID == key:
			return img, nil
		case slices.Contains(img.Names, key):
			byName = img // of two with one name the library takes the later
		case key != "" && strings.HasPrefix(img.ID, key):
			byPrefix = img
			prefixes++
		}
	}
	switch {
	case byName != nil:
		return byName, nil
	case prefixes == 1:
		return byPrefix, nil
	}
	return nil, storage.ErrImageUnknown
}

// ImagesByDigest returns the images with a manifest of this digest.
func (c *catalog) ImagesByDigest(d digest.Digest) ([]*storage.Image, error) {
	var out []*storage.Image
	for img, err := range c.with(d.String()) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(img.Digests, d) {
			out = append(out, img)
		}
	}
	return out, nil
}

// Images returns all images, in the records' order.
func (c *catalog) Images() ([]storage.Image, error) {
	out := make([]storage.Image, 0, len(c.raw))
	for img, err := range c.with("") {
		if err != nil {
			return nil, err
		}
		out = append(out, *img)
	}
	return out, nil
}

// ImageBigData reads a file of the image with this id.
func (c *catalog) ImageBigData(id, key string) ([]byte, error) {
	f, err := os.OpenFile(filepath.Join(c.dir, id, dataFile(key)), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		if _, unknown := c.Image(id); unknown != nil {
			return nil, unknown
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBlob+1))
	if err == nil && len(data) > maxBlob {
		err = fmt.Errorf("it has more than the %d bytes that are read", maxBlob)
	}
	return data, err
}

// with yields the records that have key in them, decoded; most are others', and only their bytes are looked at.
func (c *catalog) with(key string) func(yield func(*storage.Image, error) bool) {
	if strings.ContainsFunc(key, escaped) {
		key = ""
	}
	return func(yield func(*storage.Image, error) bool) {
		for _, raw := range c.raw {
			if !bytes.Contains(raw, []byte(key)) {
				continue
			}
			var img storage.Image
			if err := json.Unmarshal(raw, &img); err != nil {
				yield(nil, fmt.Errorf("read record of an image in %q: %w", c.dir, err))
				return
			}
			addDigests(&img)
			if !yield(&img, nil) {
				return
			}
		}
	}
}

// escaped reports whether JSON may write r in another way.
func escaped(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }

// addDigests fills in what the library computes of a record: the digests of all manifests.
func addDigests(img *storage.Image) {
	if img.Digest != "" {
		img.Digests = append(img.Digests, img.Digest)
	}
	names := make([]string, 0, len(img.BigDataDigests))
	for name := range img.BigDataDigests {
		if strings.HasPrefix(name, storage.ImageDigestManifestBigDataNamePrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if d := img.BigDataDigests[name]; !slices.Contains(img.Digests, d) {
			img.Digests = append(img.Digests, d)
		}
	}
	if len(img.Digests) > 0 {
		img.Digest = cmp.Or(img.Digest, img.Digests[0])
	}
}

// dataFile is the name of the file that the library keeps an image's data in, by its key.
func dataFile(key string) string {
	plain := func(r rune) bool { return r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }
	if all := key[:max(0, len(key)-1)]; strings.ContainsFunc(all, func(r rune) bool { return !plain(r) }) { // it does not mind the last
		return "=" + base64.StdEncoding.EncodeToString([]byte(key))
	}
	return key
}
