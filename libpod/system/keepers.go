package system

import (
	"context"
	"errors"
	"fmt"

	"hull.dev/hull/libpod/define"
)

// idleKeepers are the images that the store is told to keep for containers of hull's, and that none is made from.
func (s *Service) idleKeepers(ctx context.Context) ([]string, error) {
	records, err := s.Layers.Containers(ctx)
	if err != nil {
		return nil, err
	}
	var idle []string
	for _, r := range records {
		if !r.Keeps {
			continue
		}
		users, err := s.State.UsingImage(ctx, r.ImageID)
		if err != nil {
			return nil, err
		}
		if len(users) == 0 {
			idle = append(idle, r.ImageID)
		}
	}
	return idle, nil
}

func (s *Service) checkKeepers(ctx context.Context) ([]define.Finding, error) {
	idle, err := s.idleKeepers(ctx)
	found := make([]define.Finding, 0, len(idle))
	for _, id := range idle {
		found = append(found, define.Finding{Text: fmt.Sprintf("image %s: it is kept for containers, and none is made from it", short(id))})
	}
	return found, err
}

func (s *Service) repairKeepers(ctx context.Context) error {
	idle, err := s.idleKeepers(ctx)
	failed := []error{err}
	for _, id := range idle {
		failed = append(failed, s.Keepers.Release(ctx, id))
	}
	return errors.Join(failed...)
}
