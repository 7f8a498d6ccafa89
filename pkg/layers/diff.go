package layers

import (
	"context"

	"go.podman.io/storage/pkg/archive"
)

// Change is one path in which two root file systems differ.
type Change struct {
	Path string // absolute within the root
	Kind ChangeKind
}

// ChangeKind is what became of the path.
type ChangeKind string

// Kinds of a Change, by the letters of podman-diff(1).
const (
	Added   ChangeKind = "A"
	Deleted ChangeKind = "D"
	Changed ChangeKind = "C"
)

// Changes returns, sorted by path, in what the root file system that ends with layer to differs from the one that ends
// with layer from; from "" is the parent of to. An image without layers has nothing to compare.
func (s *Store) Changes(ctx context.Context, from, to string) ([]Change, error) {
	store, err := s.opened(ctx)
	if err != nil || to == "" {
		return nil, err
	}
	list, err := store.Changes(from, to)
	if err != nil {
		return nil, wrap(err, "compare layer %q", short(to))
	}
	kinds := map[archive.ChangeType]ChangeKind{archive.ChangeAdd: Added, archive.ChangeDelete: Deleted, archive.ChangeModify: Changed}
	out := make([]Change, 0, len(list))
	for _, c := range list {
		out = append(out, Change{c.Path, kinds[c.Kind]})
	}
	return out, nil
}
