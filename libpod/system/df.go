package system

import (
	"context"
	"fmt"
	"slices"

	"go.podman.io/storage/pkg/directory"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// DiskUsage measures what images, containers and volumes take on the disk.
func (s *Service) DiskUsage(ctx context.Context) (*define.DiskUsage, error) {
	var u define.DiskUsage
	if err := s.imageUsage(ctx, &u); err != nil {
		return nil, err
	}
	all, err := s.Containers.List(ctx, true)
	if err != nil {
		return nil, err
	}
	links := map[string]int{}
	for _, c := range all {
		one := define.ContainerUsage{
			ID: c.Config.ID, Name: c.Config.Name, ImageID: c.Config.ImageID, Command: c.Config.Command,
			Volumes: len(c.Config.Volumes), Created: c.Config.Created, Status: c.Status,
		}
		if c.Config.ImageID != "" { // one with --rootfs has no layer
			one.Size, _, err = s.Layers.Size(ctx, c.Config.ID)
			if err != nil && !errs.IsNotFound(err) { // one that is made or removed right now may have none
				return nil, err
			}
		}
		u.Containers = append(u.Containers, one)
		for i, v := range c.Config.Volumes {
			if !slices.ContainsFunc(c.Config.Volumes[:i], func(o define.NamedVolume) bool { return o.Name == v.Name }) {
				links[v.Name]++
			}
		}
	}
	volumes, err := s.State.ListVolumes(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		usage, err := directory.Usage(v.Mountpoint) // what is not there takes nothing
		if err != nil {
			return nil, fmt.Errorf("measure volume %q: %w", v.Name, err)
		}
		u.Volumes = append(u.Volumes, define.VolumeUsage{Name: v.Name, Links: links[v.Name], Size: usage.Size})
	}
	return &u, nil
}

// imageUsage fills in what is told of images.
func (s *Service) imageUsage(ctx context.Context, u *define.DiskUsage) error {
	list, err := s.Images.List(ctx, define.ImageListOptions{All: true})
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, i := range slices.Backward(list) {
		used[i.ID] = i.Containers > 0
		u.Images = append(u.Images, define.ImageUsage{
			ID: i.ID, Names: i.Names, Created: i.Created, Size: i.Size, SharedSize: i.SharedSize, Containers: i.Containers,
		})
	}
	tree, err := s.Layers.Tree(ctx)
	if err != nil {
		return err
	}
	u.ImagesSize, u.ImagesUnused, err = tree.Total(func(id string) bool { return used[id] })
	return err
}
