package images

import (
	"context"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

// engineMade are paths that an engine makes in every container; podman leaves them out of every diff.
var engineMade = map[string]bool{
	"/dev": true, "/etc/hostname": true, "/etc/hosts": true, "/etc/resolv.conf": true, "/proc": true, "/run": true,
	"/run/notify": true, "/run/.containerenv": true, "/run/secrets": true, "/sys": true, "/etc/mtab": true,
}

// Diff returns in what the image differs from another one, or from its top layer's parent when other is "".
func (s *Service) Diff(ctx context.Context, ref, other string) ([]layers.Change, error) {
	img, _, err := s.layers.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	from := ""
	if other != "" {
		base, _, err := s.layers.Image(ctx, other)
		if err != nil {
			return nil, err
		}
		from = base.TopLayer
	}
	all, err := s.layers.Changes(ctx, from, img.TopLayer)
	if err != nil {
		return nil, err
	}
	out := make([]layers.Change, 0, len(all))
	for _, c := range all {
		if !engineMade[c.Path] {
			out = append(out, c)
		}
	}
	return out, nil
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
