package images

import (
	"context"
	"slices"
	"time"

	"hull.dev/hull/pkg/layers"
)

// family is the store at one moment with what images have to do with each other: which is made from which. The store
// does not record that; it shows in the configs: a child has its parent's layers and steps, and one or more after them.
type family struct {
	*layers.Tree
	members  []member
	children map[string]int // number of images made from the one with this id
}

// member is an image with its config. A list of images has a zero config, and so has an image whose config is damaged:
// listing goes on, and using it tells.
type member struct {
	layers.Image
	config layers.Config
	parent string // id, or ""
	list   bool   // a list of images for platforms
	users  int    // containers of any engine
}

// family reads the configs of all images.
func (s *Service) family(ctx context.Context) (*family, error) {
	return s.familyOf(ctx, func(*layers.Tree, layers.Image) bool { return true })
}

// ancestry is the family of img and of those it can be made from: their layers are the lowest of its own.
func (s *Service) ancestry(ctx context.Context, img layers.Image) (*family, error) {
	var own []layers.Layer
	return s.familyOf(ctx, func(t *layers.Tree, other layers.Image) bool {
		if own == nil {
			own = t.Layers(img.TopLayer)
		}
		below := t.Layers(other.TopLayer)
		same := func(a, b layers.Layer) bool { return a.DiffID == b.DiffID }
		return len(below) <= len(own) && slices.EqualFunc(below, own[len(own)-len(below):], same)
	})
}

func (s *Service) familyOf(ctx context.Context, has func(*layers.Tree, layers.Image) bool) (*family, error) {
	tree, err := s.layers.Tree(ctx)
	if err != nil {
		return nil, err
	}
	f := &family{Tree: tree, children: map[string]int{}}
	users, err := s.containers.UsedImages(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range tree.Containers {
		if !c.Ours {
			users[c.ImageID]++
		}
	}
	for _, img := range tree.Images {
		if !has(tree, img) {
			continue
		}
		m := member{Image: img, users: users[img.ID]}
		if m.config, err = s.layers.Config(ctx, img); err != nil {
			m.list, _ = s.layers.IsList(ctx, img)
		}
		f.members = append(f.members, m)
	}
	for i := range f.members {
		m := &f.members[i]
		steps := 0
		for j := range f.members {
			if p := &f.members[j]; i != j && isParent(p.config, m.config) && len(p.config.History) > steps {
				m.parent, steps = p.ID, len(p.config.History)
			}
		}
		if m.parent != "" {
			f.children[m.parent]++
		}
	}
	return f, nil
}

// isParent reports whether the child continues the parent.
func isParent(parent, child layers.Config) bool {
	if len(parent.History) == 0 || len(parent.History) >= len(child.History) || len(parent.RootFS.DiffIDs) > len(child.RootFS.DiffIDs) {
		return false
	}
	for i, d := range parent.RootFS.DiffIDs {
		if child.RootFS.DiffIDs[i] != d {
			return false
		}
	}
	for i, h := range parent.History {
		c := child.History[i]
		if h.CreatedBy != c.CreatedBy || h.EmptyLayer != c.EmptyLayer || !sameTime(h.Created, c.Created) {
			return false
		}
	}
	return true
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func (f *family) find(id string) *member {
	for i := range f.members {
		if f.members[i].ID == id {
			return &f.members[i]
		}
	}
	return nil
}

// dangling: no name, and nothing is made from it. intermediate: no name, but something is.
func (f *family) dangling(m *member) bool     { return len(m.Names) == 0 && f.children[m.ID] == 0 }
func (f *family) intermediate(m *member) bool { return len(m.Names) == 0 && f.children[m.ID] > 0 }

// created is the config's time, or the record's when the config has none.
func created(img layers.Image, c layers.Config) time.Time {
	if c.Created != nil {
		return *c.Created
	}
	return img.Created
}

func (m *member) created() time.Time { return created(m.Image, m.config) }
