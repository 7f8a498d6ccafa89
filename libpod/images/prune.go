package images

import (
	"context"
	"fmt"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
)

// Prune removes images that no container uses: those without a name, or all of them. What can go, goes; the errors are
// those of the rest. An image that a container is made from meanwhile stays.
func (s *Service) Prune(ctx context.Context, o define.ImagePruneOptions) ([]define.ImagePruneReport, []error) {
	f, err := s.family(ctx)
	if err != nil {
		return nil, []error{err}
	}
	keep, err := s.filters(ctx, f, o.Filters)
	if err != nil {
		return nil, []error{err}
	}
	builds, err := s.builds(ctx, o.External)
	if err != nil {
		return nil, []error{err}
	}
	var reports []define.ImagePruneReport
	var failed []error
	for _, id := range f.youngestFirst() {
		m := f.find(id)
		if m.ReadOnly || m.users > len(builds[id]) || !o.All && !f.dangling(m) || !keep.pass(m) {
			continue
		}
		done, err := s.prune(ctx, f, m, builds[id])
		reports = append(reports, done...)
		if err != nil && !errs.IsConflict(err) && !errs.IsNotFound(err) {
			failed = append(failed, err)
		}
	}
	return reports, s.swept(ctx, failed)
}

// builds are the containers that builds left, by image; none unless they are asked for.
func (s *Service) builds(ctx context.Context, asked bool) (map[string][]string, error) {
	if !asked {
		return nil, nil //nolint:nilnil // no image has one
	}
	others, err := s.layers.External(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, c := range others {
		if c.Buildah {
			out[c.ImageID] = append(out[c.ImageID], c.ID)
		}
	}
	return out, nil
}

func (s *Service) prune(ctx context.Context, f *family, m *member, containers []string) ([]define.ImagePruneReport, error) {
	for _, id := range containers {
		if err := s.layers.Delete(ctx, id); err != nil {
			return nil, fmt.Errorf("remove the container %q of a build: %w", id[:12], err)
		}
	}
	removed, err := s.removeWithParents(ctx, m.ID, define.ImageRemoveOptions{})
	failpoint.Hit("image-prune/image")
	var out []define.ImagePruneReport
	for _, r := range removed {
		gone := f.find(r.Deleted)
		if gone == nil { // its data is in use by a younger image
			continue
		}
		size, _, sizeErr := f.Size(gone.Image)
		if sizeErr != nil {
			size = 0 // a damaged image is removed too
		}
		out = append(out, define.ImagePruneReport{ID: r.Deleted, Size: size})
	}
	return out, err
}
