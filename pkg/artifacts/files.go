package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/reference"
)

// unknownType is the type of an artifact whose maker says none.
const unknownType = "application/vnd.unknown.artifact.v1"

// AddOptions is what podman-artifact-add(1) can be asked for.
type AddOptions struct {
	Type        string            // of the artifact; "" is unknownType
	FileType    string            // of the files; "" is what each looks like
	Annotations map[string]string // of each file
	Append      bool              // the artifact is there and gets more files
	Replace     bool              // one that is there goes
}

// Add makes an artifact of files, or adds them to one, and returns the digest of its manifest. A short name is completed
// with localhost/, and latest is the tag if there is none. ErrAlreadyExists when there is one of this name, or a file in it.
func (s *Store) Add(ctx context.Context, name string, paths []string, o AddOptions) (digest.Digest, error) {
	full, err := reference.NormalizeLocal(name)
	if err != nil {
		return "", err
	}
	if full.Digest != "" {
		return "", errs.Invalid("%s: an artifact is called by a name and a tag, not by a digest", name)
	}
	var made v1.Descriptor
	err = s.Update(ctx, func(t *Tx) error {
		m, err := t.base(ctx, full.String(), o)
		if err != nil {
			return err
		}
		for _, path := range paths {
			l, err := t.putFile(ctx, path, o)
			if err != nil {
				return err
			}
			title := l.Annotations[v1.AnnotationTitle]
			if slices.ContainsFunc(m.Layers, func(have v1.Descriptor) bool { return have.Annotations[v1.AnnotationTitle] == title }) {
				return errdefs.ErrAlreadyExists.WithMessage(fmt.Sprintf("%q: a file of this name is already in the artifact", title))
			}
			m.Layers = append(m.Layers, l)
		}
		if made, err = t.PutDocument(ctx, v1.MediaTypeImageManifest, m); err != nil {
			return err
		}
		made.ArtifactType = m.ArtifactType
		t.Set(full.String(), made)
		return nil
	})
	return made.Digest, err
}

// base is the manifest that files are added to.
func (t *Tx) base(ctx context.Context, name string, o AddOptions) (v1.Manifest, error) {
	old, err := t.find(ctx, name)
	switch {
	case err == nil && o.Append && old.Bad != nil:
		return v1.Manifest{}, old.Bad
	case err == nil && o.Append:
		if old.Manifest.MediaType != v1.MediaTypeImageManifest {
			return v1.Manifest{}, errs.Invalid("%s: files cannot be added to a %q", name, old.Manifest.MediaType)
		}
		return old.Manifest, nil
	case err == nil && !o.Replace:
		return v1.Manifest{}, errs.WithHint(errdefs.ErrAlreadyExists.WithMessage(name+": artifact already exists"),
			"--append adds files to it, --replace puts another in its place")
	case err != nil && (o.Append || !errdefs.IsNotFound(err)):
		return v1.Manifest{}, err
	}
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: o.Type,
		Annotations: map[string]string{v1.AnnotationCreated: time.Now().UTC().Format(time.RFC3339Nano)},
	}
	if m.ArtifactType == "" {
		m.ArtifactType = unknownType
	}
	m.Config, err = t.Put(ctx, bytes.NewReader(v1.DescriptorEmptyJSON.Data))
	m.Config.MediaType, m.Config.Data = v1.MediaTypeEmptyJSON, v1.DescriptorEmptyJSON.Data
	return m, err
}

func (t *Tx) putFile(ctx context.Context, path string, o AddOptions) (_ v1.Descriptor, err error) {
	f, err := os.Open(path)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return v1.Descriptor{}, errors.Join(err, errs.Invalid("%q is not a regular file", path))
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return v1.Descriptor{}, err
	}
	d, err := t.Put(ctx, io.MultiReader(bytes.NewReader(head[:n]), f))
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("add %q: %w", path, err)
	}
	d.MediaType = o.FileType
	if d.MediaType == "" {
		d.MediaType = looksLike(head[:n])
	}
	d.Annotations = map[string]string{v1.AnnotationTitle: filepath.Base(path)}
	maps.Copy(d.Annotations, o.Annotations)
	return d, nil
}

// looksLike is the media type of a file by how it begins, in the words of the WHATWG's MIME sniffing, as podman has it.
// (net/http, which knows the whole of that, would be initialised for every command.)
func looksLike(head []byte) string {
	for magic, is := range map[string]string{
		"\x1f\x8b\x08": "application/x-gzip", "PK\x03\x04": "application/zip", "%PDF-": "application/pdf",
		"\x89PNG\r\n\x1a\n": "image/png", "\xff\xd8\xff": "image/jpeg", "\x00asm": "application/wasm",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return is
		}
	}
	binary := func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) }
	if bytes.ContainsFunc(head, binary) {
		return "application/octet-stream"
	}
	return "text/plain; charset=utf-8"
}

// RemoveOptions is what podman-artifact-rm(1) can be asked for.
type RemoveOptions struct {
	All    bool // instead of those that are named
	Ignore bool // one that is not there is no error
}

// Remove removes artifacts and returns the digests of those that went. When one is an error none is removed.
func (s *Store) Remove(ctx context.Context, refs []string, o RemoveOptions) ([]digest.Digest, error) {
	var gone []digest.Digest
	err := s.Update(ctx, func(t *Tx) error {
		list, err := t.List(ctx)
		if err != nil {
			return err
		}
		if !o.All {
			list = nil
		}
		for _, ref := range refs {
			a, err := t.find(ctx, ref)
			if o.Ignore && errdefs.IsNotFound(err) {
				continue
			}
			if err != nil {
				return err
			}
			list = append(list, a)
		}
		for _, a := range list {
			t.Drop(a)
			gone = append(gone, a.Digest)
		}
		return nil
	})
	return slices.Compact(gone), err
}

// ExtractOptions pick one file of an artifact; both empty means all.
type ExtractOptions struct {
	Digest, Title string
}

// Extract writes files of an artifact into a folder under their names there, or a single one to the path target.
func (s *Store) Extract(ctx context.Context, ref, target string, o ExtractOptions) error {
	a, err := s.Find(ctx, ref)
	if err != nil {
		return err
	}
	picked := slices.DeleteFunc(slices.Clone(a.Manifest.Layers), func(l v1.Descriptor) bool {
		return o.Digest != "" && l.Digest.String() != o.Digest || o.Title != "" && l.Annotations[v1.AnnotationTitle] != o.Title
	})
	if len(picked) == 0 {
		return errs.WithHint(errs.NotFound("%s: the artifact has no file with the digest or title %q", ref, o.Digest+o.Title), "hull artifact inspect %s shows them", ref)
	}
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return s.extractInto(ctx, picked, target)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case len(picked) > 1:
		return errs.WithHint(errs.Invalid("the artifact consists of several blobs and the target %q is not a directory", target),
			"make the folder, or pick one file by --title or --digest")
	}
	return s.extract(ctx, picked[0], target)
}

// extractInto writes files into a folder. Their names are a stranger's: each is one that stays in the folder, or none is
// written.
func (s *Store) extractInto(ctx context.Context, list []v1.Descriptor, dir string) error {
	names := map[string]bool{}
	for _, l := range list {
		name := fileName(l)
		if name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return errs.WithHint(errs.Invalid("invalid name %q of a file in the artifact: it is no name in a folder", name),
				"--digest %s and a path extract it", l.Digest)
		}
		if names[name] {
			return errs.WithHint(errs.Invalid("the artifact has several files called %q", name), "--digest picks one")
		}
		names[name] = true
	}
	for _, l := range list {
		if err := s.extract(ctx, l, filepath.Join(dir, fileName(l))); err != nil {
			return err
		}
	}
	return nil
}

// fileName is the file's title, or its digest.
func fileName(l v1.Descriptor) string {
	if title := l.Annotations[v1.AnnotationTitle]; title != "" {
		return title
	}
	return l.Digest.Encoded()
}

func (s *Store) extract(ctx context.Context, l v1.Descriptor, path string) (err error) {
	from, err := s.Open(l.Digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := atomicfile.New(path, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	verifier := l.Digest.Verifier()
	if _, err := io.Copy(io.MultiWriter(to, verifier), reader{ctx, from}); err != nil {
		return fmt.Errorf("extract to %q: %w", path, err)
	}
	if !verifier.Verified() {
		return errs.Invalid("the file %s is damaged in the store", l.Digest)
	}
	return to.Commit()
}
