// Package artifacts is the store of OCI artifacts: files that are kept and moved as images are, and are none. It is podman's,
// <graph root>/artifacts, an OCI layout (image-spec image-layout.md):
//
//	index.json             names: descriptors of manifests, each with the annotation org.opencontainers.image.ref.name
//	blobs/sha256/<hex>     manifests, configs and files, 0600
//	index.lock             podman's lock, held by who writes; readers need none, since the index is replaced whole
//	oci-layout             the version of the layout
//
// A writer puts blobs first, then the index, and then removes the blobs that no manifest of the index names: what a killed
// one left is removed by the next.
package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/storage/pkg/lockfile"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/reference"
)

// maxDocument bounds the index and the manifests, which came from outside once.
const maxDocument = 4 << 20

// Store is the store in one folder.
type Store struct{ dir string }

// At is the store of a graph root. It does not touch the disk.
func At(graphRoot string) *Store { return &Store{filepath.Join(graphRoot, "artifacts")} }

// Dir is the folder, an OCI layout.
func (s *Store) Dir() string { return s.dir }

// Artifact is one that the store has.
type Artifact struct {
	Name     string // [DOMAIN/]PATH:TAG; "" for one that lost it
	Digest   digest.Digest
	Manifest v1.Manifest
	Bad      error `json:"-"` // what is wrong with its manifest, which is empty then
}

// Size is the bytes of its files.
func (a *Artifact) Size() (total int64) {
	for _, l := range a.Manifest.Layers {
		total += l.Size
	}
	return total
}

// List returns all, in the order in which they came, also those that are damaged.
func (s *Store) List(ctx context.Context) ([]Artifact, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	var out []Artifact
	for _, d := range index.Manifests {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		a := Artifact{Name: d.Annotations[v1.AnnotationRefName], Digest: d.Digest}
		if err := s.document(d.Digest, &a.Manifest); err != nil {
			a.Bad = fmt.Errorf("artifact %q: %w", a.Name, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// Find returns the artifact that ref means: a name, with podman's rules for images, or a digest or the beginning of one.
// ErrNotFound when there is none; ErrConflict when a digest is of several; Artifact.Bad when it is damaged.
func (s *Store) Find(ctx context.Context, ref string) (Artifact, error) {
	a, err := s.find(ctx, ref)
	if err == nil && a.Bad != nil {
		err = errs.WithHint(a.Bad, "hull artifact rm %s removes it", ref)
	}
	return a, err
}

// find is Find that takes damaged ones too.
func (s *Store) find(ctx context.Context, ref string) (Artifact, error) {
	all, err := s.List(ctx)
	if err != nil {
		return Artifact{}, err
	}
	if parsed, bad := reference.Parse(ref); bad == nil {
		for _, name := range parsed.Local() {
			if i := slices.IndexFunc(all, func(a Artifact) bool { return a.Name == name.String() }); i >= 0 {
				return all[i], nil
			}
		}
	}
	i, err := byDigest(all, ref)
	if err != nil {
		return Artifact{}, err
	}
	if i < 0 {
		return Artifact{}, errs.WithHint(errs.NotFound("%s: artifact does not exist", ref), "hull artifact ls lists what there is")
	}
	return all[i], nil
}

// Open opens a blob for reading.
func (s *Store) Open(d digest.Digest) (*os.File, error) {
	path, err := s.path(d)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// path is where a blob is. A digest that is none would be a path of a stranger's choice.
func (s *Store) path(d digest.Digest) (string, error) { return blobPath(s.dir, d) }

func blobPath(layout string, d digest.Digest) (string, error) {
	if err := d.Validate(); err != nil {
		return "", errs.Invalid("%q is no digest", d)
	}
	return filepath.Join(layout, v1.ImageBlobsDir, d.Algorithm().String(), d.Encoded()), nil
}

// index reads index.json; there is none in a store that nothing was put in.
func (s *Store) index() (v1.Index, error) {
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	path := filepath.Join(s.dir, v1.ImageIndexFile)
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	if err != nil {
		return index, err
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return index, errs.Invalid("%q is damaged: %v", path, err)
	}
	return index, nil
}

// document reads the JSON that a digest names.
func (s *Store) document(d digest.Digest, into any) error {
	path, err := s.path(d)
	if err != nil {
		return err
	}
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	if got := d.Algorithm().FromBytes(data); got != d {
		return errs.Invalid("%q is damaged: it has the digest %s", path, got)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return errs.Invalid("%q is damaged: %v", path, err)
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxDocument {
		return nil, errs.Invalid("%q has %d bytes, which is more than the %d that are read", path, info.Size(), maxDocument)
	}
	return os.ReadFile(path)
}

// Update calls change under the lock and then gives the store the index that it leaves. Who waits for the lock, which a pull
// has for as long as it takes, stops when ctx does.
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, v1.ImageBlobsDir, string(digest.Canonical)), 0o700); err != nil {
		return err
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	tx := &Tx{Store: s}
	if tx.list, err = s.index(); err != nil {
		return err
	}
	err = change(tx)
	if err == nil {
		failpoint.Hit("artifact/blobs")
		err = tx.commit()
		failpoint.Hit("artifact/indexed")
	}
	return errors.Join(err, tx.sweep())
}

// patience is how long Unnamed waits for the lock.
const patience = 100 * time.Millisecond

// Unnamed are the paths of the files that no artifact has, which a killed command left: the next change of the store removes
// them. Of a store that another command works on nothing is said, nor of one where a damaged manifest hides what it has.
func (s *Store) Unnamed(ctx context.Context) ([]string, error) {
	if _, err := os.Stat(filepath.Join(s.dir, v1.ImageBlobsDir)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lock, err := s.lock(short)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	left, err := s.unnamed()
	if errdefs.IsInvalidArgument(err) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return left, err
}

func (s *Store) lock(ctx context.Context) (*lockfile.LockFile, error) {
	lock, err := lockfile.GetLockFile(filepath.Join(s.dir, "index.lock"))
	if err != nil {
		return nil, err
	}
	got := make(chan struct{})
	go func() { // ends when it has the lock: the library's wait cannot be stopped
		lock.Lock()
		select {
		case got <- struct{}{}:
		case <-ctx.Done():
			lock.Unlock()
		}
	}()
	select {
	case <-got:
		return lock, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// commit writes the index, and what makes the folder a layout.
func (t *Tx) commit() error {
	version := filepath.Join(t.dir, v1.ImageLayoutFile)
	if _, err := os.Stat(version); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.Write(version, []byte(`{"imageLayoutVersion":"`+v1.ImageLayoutVersion+`"}`)); err != nil {
			return err
		}
	}
	if t.list.Manifests == nil {
		t.list.Manifests = []v1.Descriptor{}
	}
	data, err := json.Marshal(t.list)
	if err != nil {
		return err
	}
	if len(data) > maxDocument {
		return errs.Invalid("the store of artifacts is full: its index would have %d bytes", len(data))
	}
	return atomicfile.Write(filepath.Join(t.dir, v1.ImageIndexFile), data)
}
