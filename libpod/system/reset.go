package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/rootless"
)

// Reset removes all containers, images, networks, artifacts and volumes of hull's, its state, and what it keeps until a
// reboot, and ends the user's pause process. Images that a container of another engine uses stay, with an error; other engines' folders in the
// graph root stay. The service is of no use afterwards.
func (s *Service) Reset(ctx context.Context) error {
	failed := []error{s.removeContainers(ctx)}
	// What has no row is removed by the repair.
	found, err := s.Check(ctx, define.CheckOptions{Quick: true})
	if err == nil && len(found) > 0 {
		_, err = s.Repair(ctx, found, define.CheckOptions{Quick: true, Force: true})
	}
	failed = append(failed, err)
	_, imageErrors := s.Images.Remove(ctx, nil, define.ImageRemoveOptions{All: true, Force: true})
	failed = append(failed, imageErrors...)
	_, networkErrors := s.Networks.Prune(ctx, nil) // their folder may be anywhere
	failed = append(failed, networkErrors...)
	failed = append(failed, os.RemoveAll(artifacts.At(s.Layers.GraphRoot()).Dir()))
	volumes, err := s.State.ListVolumes(ctx)
	failed = append(failed, err)
	for _, v := range volumes {
		failed = append(failed, os.RemoveAll(filepath.Dir(v.Mountpoint)))
	}
	if left, err := s.Containers.List(ctx, true); err != nil || len(left) > 0 {
		// Their rows are all that leads to what is left of them.
		failed = append(failed, err, fmt.Errorf("%d containers are left, so the state is kept", len(left)))
		return errors.Join(failed...)
	}
	failed = append(failed, s.State.Close(), os.RemoveAll(s.Dirs.Static), os.RemoveAll(s.Dirs.Volatile))
	if !s.Root {
		failed = append(failed, rootless.StopPause())
	}
	return errors.Join(failed...)
}

// removeContainers kills and removes every container; those that depend on one go with it.
func (s *Service) removeContainers(ctx context.Context) error {
	list, err := s.Containers.List(ctx, true)
	if err != nil {
		return err
	}
	now := uint(0)
	var failed []error
	for _, c := range list {
		o := define.RemoveOptions{Force: true, Ignore: true, Volumes: true, Depend: true, Timeout: &now}
		failed = append(failed, s.Containers.Remove(ctx, c.Config.ID, o))
	}
	return errors.Join(failed...)
}
