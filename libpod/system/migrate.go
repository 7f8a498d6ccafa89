package system

import (
	"context"

	"hull.dev/hull/pkg/rootless"
)

// Migrate stops the containers and ends the user's pause process, so that the next command makes new namespaces, with the ids that
// /etc/subuid and /etc/subgid have by then (podman-system-migrate(1)). It returns the ids of those that it has stopped. When one does
// not stop, the pause process stays.
func (s *Service) Migrate(ctx context.Context) (stopped []string, err error) {
	stopped, err = s.Containers.StopAll(ctx)
	if err != nil || s.Root {
		return stopped, err
	}
	if err := s.Net.Ended(ctx); err != nil { // it is in the old namespaces, and would be asked for the next container
		return stopped, err
	}
	return stopped, rootless.StopPause()
}
