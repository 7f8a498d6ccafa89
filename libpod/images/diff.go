package images

import (
	"context"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

// Diff returns in what the image differs from another one, or from its top layer's parent when other is "".
func (s *Service) Diff(ctx context.Context, ref, other string) ([]layers.Change, error) {
	img, _, err := s.layers.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	var from layers.Side
	if other != "" {
		base, _, err := s.layers.Image(ctx, other)
		if err != nil {
			return nil, err
		}
		from = layers.ImageSide(base)
	}
	return s.layers.Changes(ctx, from, layers.ImageSide(img))
}

// DiffReport sorts changes by what became of the paths.
func DiffReport(changes []layers.Change) define.ImageDiff {
	var out define.ImageDiff
	for _, c := range changes {
		switch c.Kind {
		case layers.Added:
			out.Added = append(out.Added, c.Path)
		case layers.Deleted:
			out.Deleted = append(out.Deleted, c.Path)
		case layers.Changed:
			out.Changed = append(out.Changed, c.Path)
		}
	}
	return out
}
