package system

import (
	"context"

	"hull.dev/hull/pkg/rootless"
)

// Migrate ends the user's pause process, so that the next command makes new namespaces, with the ids that
// /etc/subuid and /etc/subgid have by then (podman-system-migrate(1)). The caller has stopped the containers.
func (s *Service) Migrate(ctx context.Context) error {
	if s.Root {
		return nil
	}
	if err := s.Net.Ended(ctx); err != nil { // it is in the old namespaces, and would be asked for the next container
		return err
	}
	return rootless.StopPause()
}
