package layers

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"go.podman.io/storage/pkg/archive"
	"go.podman.io/storage/pkg/idtools"
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

// engineMade are paths that an engine makes in every container; podman leaves them out of every diff.
var engineMade = map[string]bool{
	"/dev": true, "/etc/hostname": true, "/etc/hosts": true, "/etc/resolv.conf": true, "/proc": true, "/run": true,
	"/run/notify": true, "/run/.containerenv": true, "/run/secrets": true, "/sys": true, "/etc/mtab": true,
}

// Side is a root file system that can be compared. The zero value is that of nothing.
type Side struct {
	layer string // the top layer of an image, or a container's in the store
	own   string // id of a container with a layer of hull's own
}

// ImageSide is the image's root file system.
func ImageSide(img Image) Side { return Side{layer: img.TopLayer} }

// ContainerSide is the root file system of one of hull's containers.
func (s *Store) ContainerSide(id string) Side {
	if s.isOwn(id) {
		return Side{own: id}
	}
	return Side{layer: LayerID(id)}
}

// Changes returns, sorted by path, in what the root file system to differs from the root file system from; a zero from
// is what lies below the top layer of to. An image without layers has nothing to compare. What an engine makes in every
// container is left out.
func (s *Store) Changes(ctx context.Context, from, to Side) ([]Change, error) {
	if to == (Side{}) {
		return nil, nil
	}
	list, err := s.compare(ctx, from, to)
	if err != nil {
		return nil, wrap(err, "compare layer %q", short(to.layer+to.own))
	}
	kinds := map[archive.ChangeType]ChangeKind{archive.ChangeAdd: Added, archive.ChangeDelete: Deleted, archive.ChangeModify: Changed}
	out := make([]Change, 0, len(list))
	for _, c := range list {
		if !engineMade[c.Path] {
			out = append(out, Change{c.Path, kinds[c.Kind]})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// compare lets the library compare what it has itself, and what a container has written with what lies below it, for which
// nothing has to be mounted.
func (s *Store) compare(ctx context.Context, from, to Side) ([]archive.Change, error) {
	if from.own == "" && to.own == "" {
		store, err := s.opened(ctx)
		if err != nil {
			return nil, err
		}
		return store.Changes(from.layer, to.layer)
	}
	if from == (Side{}) {
		below, err := s.lowers(to.own)
		if err != nil {
			return nil, err
		}
		return archive.OverlayChanges(below, filepath.Join(s.ownDir(to.own), "diff"))
	}
	older, err := s.peek(from)
	if err != nil {
		return nil, err
	}
	defer older.Close()
	newer, err := s.peek(to)
	if err != nil {
		return nil, err
	}
	defer newer.Close()
	return archive.ChangesDirs(procPath(newer), &idtools.IDMappings{}, procPath(older), &idtools.IDMappings{})
}
