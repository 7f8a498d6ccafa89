package containers

import (
	"context"

	"hull.dev/hull/pkg/lockfile"
)

// Mend brings the container with this id into order, also one whose create did not end: what the next command that acts on
// it would do first. One that another command works on is left to it; one that is gone is fine.
func (s *Service) Mend(ctx context.Context, id string) error { return s.mendOne(ctx, id) }

// Locks are the locks of containers, by id.
func (s *Service) Locks() lockfile.Dir { return s.locks() }
