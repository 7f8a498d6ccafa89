package containers

import (
	"context"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// Cleanup releases what an ended run of a container held; the monitor calls it through "hull container cleanup". A
// container that runs is an error of class Conflict. With RemoveImage the name goes which the container was made with, and
// with its last name the image; a container that still uses it, this one too, is an error of class Conflict.
func (s *Service) Cleanup(ctx context.Context, ref string, o define.CleanupOptions) error {
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return err
	}
	runs, err := s.cleanUp(ctx, row.Config.ID, o.Remove, false)
	if runs {
		return errs.Conflict("container %q runs: there is nothing to clean up", row.Config.Name)
	}
	if err != nil || !o.RemoveImage || row.Config.ImageID == "" {
		return err
	}
	if err := s.Images.RemoveName(ctx, row.Config.ImageName); err != nil {
		return errs.WithExit(err, errs.ExitEngine) // exit code 2 is rmi's
	}
	return nil
}
