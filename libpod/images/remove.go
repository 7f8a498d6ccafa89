package images

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/reference"
)

// Exit codes of podman-rmi(1), "Exit Status".
const (
	exitMissing = 1 // one of the images is not there
	exitInUse   = 2 // one of them is used by a container
)

// Remove removes names and images and returns what became of them, also when there is an error: what can go, goes, and
// the errors of the rest come joined. A name of several goes alone; the last one, or an id, takes the image with it.
func (s *Service) Remove(ctx context.Context, refs []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error) {
	if o.All {
		f, err := s.family(ctx)
		if err != nil {
			return nil, []error{err}
		}
		refs = f.youngestFirst()
	}
	var reports []define.ImageRemoveReport
	var failed []error
	for _, ref := range refs {
		done, err := s.remove(ctx, ref, o)
		reports = append(reports, done...)
		switch {
		case errdefs.IsNotFound(err) && (o.Ignore || o.Force || o.All):
		case errdefs.IsNotFound(err):
			failed = append(failed, errs.WithExit(err, exitMissing))
		case err != nil:
			failed = append(failed, err)
		}
	}
	return reports, s.swept(ctx, failed)
}

// youngestFirst is all images with children before their parents.
func (f *family) youngestFirst() []string {
	var out []string
	left := maps.Clone(f.children)
	done := map[string]bool{}
	for len(out) < len(f.members) {
		before := len(out)
		for i := range f.members {
			if m := &f.members[i]; !done[m.ID] && left[m.ID] == 0 {
				done[m.ID] = true
				left[m.parent]--
				out = append(out, m.ID)
			}
		}
		if len(out) == before { // a circle cannot be, since a parent has fewer steps
			break
		}
	}
	return out
}

func (s *Service) remove(ctx context.Context, ref string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, error) {
	img, name, err := s.layers.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	if img.ReadOnly {
		if o.All {
			return nil, nil
		}
		return nil, errs.WithHint(errs.Conflict("image %q is in a read-only image store, from which nothing is removed", ref),
			"additionalimagestores in storage.conf says which")
	}
	byID := strings.HasPrefix(img.ID, strings.TrimPrefix(ref, "sha256:")) && name == ref
	if !byID && len(img.Names) > 1 {
		if r, err := reference.Parse(name); err == nil && r.Digest == "" {
			if err := s.layers.RemoveNames(ctx, img.ID, name); err != nil {
				return nil, err
			}
			s.event("untag", img.ID, name)
			return []define.ImageRemoveReport{{Untagged: []string{name}}}, nil
		}
	}
	if byID && len(img.Names) > 1 && !o.Force && !o.All {
		return nil, errs.WithHint(errs.Conflict("unable to delete image %q by ID with more than one tag (%s): please force removal",
			img.ID, "["+strings.Join(img.Names, " ")+"]"), "hull rmi --force removes it with all of its names")
	}
	if err := s.freeFromContainers(ctx, img.ID, o.Force); err != nil {
		return nil, err
	}
	return s.removeWithParents(ctx, img.ID, o)
}

// freeFromContainers is an error when a container uses the image, unless force removes it. Another engine's container is
// that engine's to remove.
func (s *Service) freeFromContainers(ctx context.Context, id string, force bool) error {
	others, err := s.layers.Users(ctx, id)
	if err != nil {
		return err
	}
	ours, err := s.containers.UsingImage(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case len(others) > 0:
		return inUse(others[0].ID, "the container is not hull's; podman ps --all --external shows whose it is")
	case len(ours) > 0 && !force:
		return inUse(ours[0], "hull rmi --force removes the container too")
	}
	for _, c := range ours {
		if err := s.containers.Remove(ctx, c, define.RemoveOptions{Force: true, Ignore: true, Depend: true}); err != nil {
			return fmt.Errorf("remove container %q of the image: %w", c[:12], err)
		}
	}
	return s.containers.ReleaseImage(ctx, id)
}

// inUse says which container uses an image.
func inUse(container, hint string) error {
	err := errs.Conflict("image used by %s: image is in use by a container: consider listing external containers and force-removing image", container)
	return errs.WithExit(errs.WithHint(err, "%s", hint), exitInUse)
}

// removeWithParents removes the image, then its parents for as long as they are left without name and child.
func (s *Service) removeWithParents(ctx context.Context, id string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, error) {
	var reports []define.ImageRemoveReport
	for id != "" {
		f, err := s.family(ctx)
		if err != nil {
			return reports, err
		}
		m := f.find(id)
		if m == nil {
			return reports, nil
		}
		if len(reports) > 0 && (!f.dangling(m) || m.users > 0) {
			return reports, nil
		}
		_, err = s.layers.DeleteImage(ctx, id)
		if errdefs.IsConflict(err) { // a container was made from it just now
			err = errs.WithExit(err, exitInUse)
		}
		if err != nil {
			return reports, err
		}
		report := define.ImageRemoveReport{Untagged: m.Names}
		if f.children[id] == 0 { // else the data is there still, as podman says
			report.Deleted = id
		}
		s.event("remove", id, id)
		reports = append(reports, report)
		if o.NoPrune {
			return reports, nil
		}
		id = m.parent
	}
	return reports, nil
}
