package system

import (
	"context"

	"golang.org/x/sync/errgroup"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/rootless"
)

// stopsAtOnce is how many containers are stopped beside each other: some take all of their time to end.
const stopsAtOnce = 8

// Migrate stops the containers and ends the user's pause process, so that the next command makes new namespaces, with the ids that
// /etc/subuid and /etc/subgid have by then (podman-system-migrate(1)). It calls stopped with the id of each. When one does not stop, the pause
// process stays.
func (s *Service) Migrate(ctx context.Context, stopped func(id string)) error {
	list, err := s.Containers.List(ctx, false)
	if err != nil {
		return err
	}
	ids := make(chan string)
	g, stopping := errgroup.WithContext(ctx)
	g.SetLimit(stopsAtOnce)
	go func() {
		defer close(ids)
		for _, c := range list {
			g.Go(func() error {
				if err := s.Containers.Stop(stopping, c.Config.ID, define.StopOptions{Ignore: true}); err != nil {
					return err
				}
				ids <- c.Config.ID
				return nil
			})
		}
		_ = g.Wait() // it is asked again below
	}()
	for id := range ids {
		stopped(id)
	}
	if err := g.Wait(); err != nil || s.Root {
		return err
	}
	if err := s.Net.Ended(ctx); err != nil { // it is in the old namespaces, and would be asked for the next container
		return err
	}
	return rootless.StopPause()
}
