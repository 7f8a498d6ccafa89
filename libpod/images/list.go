package images

import (
	"context"
	"slices"

	"hull.dev/hull/libpod/define"
)

// List returns the images that pass the filters, newest first.
func (s *Service) List(ctx context.Context, o define.ImageListOptions) ([]define.ImageSummary, error) {
	f, err := s.family(ctx)
	if err != nil {
		return nil, err
	}
	keep, err := s.filters(ctx, f, o.Filters)
	if err != nil {
		return nil, err
	}
	out := []define.ImageSummary{}
	for i := range f.members {
		m := &f.members[i]
		if !o.All && f.intermediate(m) && !keep.asks("intermediate") || !keep.pass(m) {
			continue
		}
		summary, err := f.summary(m)
		if err != nil {
			return nil, err
		}
		out = append(out, summary)
	}
	slices.SortStableFunc(out, func(a, b define.ImageSummary) int { return b.Created.Compare(a.Created) })
	return out, nil
}

func (f *family) summary(m *member) (define.ImageSummary, error) {
	size, shared, err := f.Size(m.Image)
	if err != nil {
		return define.ImageSummary{}, err
	}
	return define.ImageSummary{
		ID: m.ID, ParentID: m.parent, RepoDigests: repoDigests(m.Image), Size: size, SharedSize: shared, VirtualSize: size,
		Labels: m.config.Config.Labels, Containers: m.users, ReadOnly: m.ReadOnly, Dangling: f.dangling(m),
		IsManifestList: m.list, Names: tagged(m.Image), Digest: m.Digest, History: m.NamesHistory, Created: m.created(),
	}, nil
}
