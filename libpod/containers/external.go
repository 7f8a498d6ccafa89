package containers

import (
	"context"
	"slices"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

// Others are the containers of other tools in the store that hull shares with them.
type Others struct{ Layers *layers.Store }

// List returns them, oldest first: what is known of them is their record in the store. In the place of a command they have
// the kind of tool, as podman-ps(1) has it.
func (o Others) List(ctx context.Context) ([]*define.ListedContainer, error) {
	others, err := o.Layers.External(ctx)
	if err != nil {
		return nil, err
	}
	images, err := o.Layers.Images(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, i := range images {
		if len(i.Names) > 0 {
			names[i.ID] = i.Names[0]
		}
	}
	list := make([]*define.ListedContainer, 0, len(others))
	for _, c := range others {
		kind, image := "storage", names[c.ImageID]
		if c.Buildah {
			kind = "buildah"
		}
		if c.Buildah && c.ImageID == "" {
			image = "scratch"
		}
		name := "unknown"
		if len(c.Names) > 0 {
			name = c.Names[0]
		}
		list = append(list, &define.ListedContainer{
			Config: define.ListedConfig{ContainerBrief: define.ContainerBrief{
				ID: c.ID, Name: name, Created: c.Created, ImageID: c.ImageID, ImageName: image,
				Command: []string{kind}, CommandOnly: []string{kind},
			}},
			ContainerState: define.ContainerState{Status: define.StatusStorage},
		})
	}
	return ByAge(list), nil
}

// ByAge sorts containers, the oldest first.
func ByAge(list []*define.ListedContainer) []*define.ListedContainer {
	slices.SortStableFunc(list, func(a, b *define.ListedContainer) int { return a.Config.Created.Compare(b.Config.Created) })
	return list
}

// Exist reports whether there is one with this id, part of an id, or name.
func (o Others) Exist(ctx context.Context, ref string) (bool, error) {
	others, err := o.Layers.External(ctx)
	if err != nil || ref == "" {
		return false, err
	}
	return slices.ContainsFunc(others, func(c layers.External) bool {
		return strings.HasPrefix(c.ID, ref) || slices.Contains(c.Names, ref)
	}), nil
}
