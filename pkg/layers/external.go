package layers

import (
	"context"
	"slices"
)

// External is a container of the store that another tool made.
type External struct {
	Container
	Buildah bool // a working container of buildah's, or of a build
}

// buildahFile is what buildah keeps in the folder of each of its containers.
const buildahFile = "buildah.json"

// External returns the containers of the store that are not hull's, in no order.
func (s *Store) External(ctx context.Context) ([]External, error) {
	all, err := s.Containers(ctx)
	if err != nil {
		return nil, err
	}
	store, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c Container) bool { return c.Ours })
	out := make([]External, 0, len(all))
	for _, c := range all {
		_, err := store.FromContainerDirectory(c.ID, buildahFile)
		out = append(out, External{Container: c, Buildah: err == nil})
	}
	return out, nil
}
