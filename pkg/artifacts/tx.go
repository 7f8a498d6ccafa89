package artifacts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"hull.dev/hull/pkg/errs"
)

// maxDepth is how many indexes may lie in one another.
const maxDepth = 4

// Tx is a change of the store, which nobody else changes meanwhile.
type Tx struct {
	*Store
	list v1.Index
}

// Set gives an artifact its name, which another one may lose.
func (t *Tx) Set(name string, d v1.Descriptor) {
	t.Drop(Artifact{Name: name})
	d.Annotations = map[string]string{v1.AnnotationRefName: name}
	t.list.Manifests = append(t.list.Manifests, d)
}

// Drop removes an artifact under its name, or one without a name by its digest.
func (t *Tx) Drop(a Artifact) {
	t.list.Manifests = slices.DeleteFunc(t.list.Manifests, func(d v1.Descriptor) bool {
		name := d.Annotations[v1.AnnotationRefName]
		return name == a.Name && (name != "" || d.Digest == a.Digest)
	})
}

// PutDocument stores v as JSON and describes it.
func (t *Tx) PutDocument(ctx context.Context, mediaType string, v any) (v1.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if len(data) > maxDocument {
		return v1.Descriptor{}, errs.Invalid("the manifest would have %d bytes, which is more than the %d that are read", len(data), maxDocument)
	}
	d, err := t.Put(ctx, bytes.NewReader(data))
	d.MediaType = mediaType
	return d, err
}

// Put stores what r has, and describes it by digest and size.
func (t *Tx) Put(ctx context.Context, r io.Reader) (_ v1.Descriptor, err error) {
	f, err := os.CreateTemp(t.dir, "put.*")
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	hash := digest.Canonical.Digester()
	n, err := io.Copy(io.MultiWriter(f, hash.Hash()), reader{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return v1.Descriptor{}, err
	}
	path, err := t.path(hash.Digest())
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{Digest: hash.Digest(), Size: n}, os.Rename(f.Name(), path)
}

// reader ends when its context does.
type reader struct {
	ctx context.Context //nolint:containedctx // io.Reader has no place for it, and a copy of gigabytes must stop
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// Lend links the files and configs of the store into another layout, so that who fills that need not fetch them again.
// Manifests are not lent: a writer of a layout may write over them in place.
func (t *Tx) Lend(layout string) error {
	documents, all := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, d := range t.list.Manifests {
		if err := walk(t.dir, d, 0, func(d v1.Descriptor, document bool) error {
			all[d.Digest] = true
			documents[d.Digest] = documents[d.Digest] || document
			return nil
		}); err != nil {
			return err
		}
	}
	for d := range all {
		if documents[d] {
			continue
		}
		from, err1 := t.path(d)
		to, err2 := blobPath(layout, d)
		if err := errors.Join(err1, err2, os.MkdirAll(filepath.Dir(to), 0o700), os.Link(from, to)); err != nil {
			return err
		}
	}
	return nil
}

// Take moves an artifact out of another layout, on the same file system, into the store: all that its manifest leads to.
func (t *Tx) Take(layout string, d v1.Descriptor) error {
	var taken []digest.Digest
	err := walk(layout, d, 0, func(d v1.Descriptor, _ bool) error {
		taken = append(taken, d.Digest)
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range taken {
		from, err1 := blobPath(layout, d)
		to, err2 := t.path(d)
		if err := errors.Join(err1, err2, os.MkdirAll(filepath.Dir(to), 0o700)); err != nil {
			return err
		}
		err := os.Rename(from, to)
		if errors.Is(err, fs.ErrNotExist) { // one that is named twice
			_, err = os.Stat(to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// walk visits a manifest and all that it names in a layout; document says that the blob is a manifest or an index.
func walk(layout string, d v1.Descriptor, depth int, visit func(d v1.Descriptor, document bool) error) error {
	if depth == maxDepth {
		return errs.Invalid("indexes lie %d deep in one another", maxDepth)
	}
	if err := visit(d, true); err != nil {
		return err
	}
	var named struct {
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if err := (&Store{layout}).document(d.Digest, &named); err != nil {
		return err
	}
	if named.Config != nil {
		named.Layers = append(named.Layers, *named.Config)
	}
	for _, l := range named.Layers {
		if err := visit(l, false); err != nil {
			return err
		}
	}
	for _, m := range named.Manifests {
		if err := walk(layout, m, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what no manifest of the index names. With one that is damaged it removes nothing: that may be repaired.
func (t *Tx) sweep() error {
	left, err := t.unnamed()
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// unnamed are the files of the store that no manifest of the index names. They are not known while one is damaged.
func (s *Store) unnamed() ([]string, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, d := range index.Manifests {
		if err := walk(s.dir, d, 0, func(d v1.Descriptor, _ bool) error {
			path, err := s.path(d.Digest)
			used[path] = true
			return err
		}); err != nil {
			return nil, fmt.Errorf("artifact %q: %w", d.Annotations[v1.AnnotationRefName], err)
		}
	}
	blobs, err1 := filepath.Glob(filepath.Join(s.dir, v1.ImageBlobsDir, "*", "*"))
	begun, err2 := filepath.Glob(filepath.Join(s.dir, "put.*"))
	return slices.DeleteFunc(append(blobs, begun...), func(path string) bool { return used[path] }), errors.Join(err1, err2)
}

// byDigest finds the artifact whose digest is ref or begins with it; -1 when there is none.
func byDigest(all []Artifact, ref string) (int, error) {
	ref = strings.TrimPrefix(ref, "sha256:")
	found := -1
	for i, a := range all {
		if ref == "" || !strings.HasPrefix(a.Digest.Encoded(), ref) {
			continue
		}
		if found >= 0 && all[found].Digest != a.Digest {
			return 0, errs.WithHint(errs.Conflict("%s: several artifacts have a digest that begins so", ref), "hull artifact ls --no-trunc shows them whole")
		}
		if found >= 0 {
			return 0, errs.WithHint(errs.Conflict("%s: the artifact has several names", ref), "hull artifact ls shows them")
		}
		found = i
	}
	return found, nil
}
