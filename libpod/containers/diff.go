package containers

import (
	"context"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
)

// Differences compares root file systems of containers and images.
type Differences struct{ Containers *Service }

// Diff returns in what a container differs from another one, or from its image when other is "". With images, either can
// also be an image, whose top layer's parent is what it is compared with when it is alone; a container comes first where
// both have the name. A container that was made with --rootfs has nothing to compare.
func (d Differences) Diff(ctx context.Context, ref, other string, images bool) ([]layers.Change, error) {
	to, err := d.side(ctx, ref, images)
	if err != nil {
		return nil, err
	}
	var from layers.Side
	if other != "" {
		if from, err = d.side(ctx, other, images); err != nil {
			return nil, err
		}
	}
	return d.Containers.Layers.Changes(ctx, from, to)
}

func (d Differences) side(ctx context.Context, ref string, images bool) (layers.Side, error) {
	s := d.Containers
	c, err := s.Lookup(ctx, ref)
	if err == nil && c.Config.Options.Rootfs {
		return layers.Side{}, nil
	}
	if err == nil {
		return s.Layers.ContainerSide(c.Config.ID), nil
	}
	if !images || !errs.IsNotFound(err) {
		return layers.Side{}, err
	}
	img, _, err := s.Layers.Image(ctx, ref)
	if errs.IsNotFound(err) {
		err = errs.WithHint(errs.NotFound("no such object: %q", ref), "hull ps --all and hull images list what there is")
	}
	return layers.ImageSide(img), err
}
