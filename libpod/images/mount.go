package images

import (
	"context"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

// Mount mounts images, read only, and says where. All are looked for before the first is mounted.
func (s *Service) Mount(ctx context.Context, refs []string, o define.ImageMountOptions) ([]define.ImageMount, error) {
	list, err := s.pick(ctx, refs, o.All)
	if err != nil {
		return nil, err
	}
	out := []define.ImageMount{}
	for _, img := range list {
		path, err := s.layers.MountImage(ctx, img.ID)
		if err != nil {
			return out, err
		}
		s.event("mount", img.ID, img.ID)
		out = append(out, mounted(img, path))
	}
	return out, nil
}

// Mounts returns the images that are mounted.
func (s *Service) Mounts(ctx context.Context) ([]define.ImageMount, error) {
	list, err := s.layers.Images(ctx)
	if err != nil {
		return nil, err
	}
	out := []define.ImageMount{}
	for _, img := range list {
		path, err := s.layers.ImageMount(ctx, img)
		if err != nil {
			return nil, err
		}
		if path != "" {
			out = append(out, mounted(img, path))
		}
	}
	return out, nil
}

// Unmount takes one mount of each image back, or all of them with force, and returns the ids of those that were mounted.
func (s *Service) Unmount(ctx context.Context, refs []string, o define.ImageMountOptions) ([]string, error) {
	list, err := s.pick(ctx, refs, o.All)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, img := range list {
		path, err := s.layers.ImageMount(ctx, img)
		if err != nil {
			return ids, err
		}
		if path == "" {
			continue
		}
		if err := s.layers.UnmountImage(ctx, img.ID, o.Force); err != nil {
			return ids, err
		}
		s.event("unmount", img.ID, img.ID)
		ids = append(ids, img.ID)
	}
	return ids, nil
}

// pick finds the images by their names, or returns all of them.
func (s *Service) pick(ctx context.Context, refs []string, all bool) ([]layers.Image, error) {
	if all {
		return s.layers.Images(ctx)
	}
	list := make([]layers.Image, 0, len(refs))
	for _, ref := range refs {
		img, _, err := s.layers.Image(ctx, ref)
		if err != nil {
			return nil, err
		}
		list = append(list, img)
	}
	return list, nil
}

func mounted(img layers.Image, path string) define.ImageMount {
	return define.ImageMount{ID: img.ID, Digests: img.Digests, Repositories: notNil(tagged(img)), Path: path}
}
