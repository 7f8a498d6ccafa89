package containers

import (
	"context"
	"slices"

	"hull.dev/hull/libpod/define"
)

// Unused are the containers that do not run, and the volumes that none uses.
type Unused struct{ Containers *Service }

// Prune removes the containers that do not run and pass the filters, younger ones first, since they may depend on older
// ones. Their anonymous volumes stay, as podman's do. What can go, goes; the errors are those of the rest.
func (u Unused) Prune(ctx context.Context, filters []string) ([]define.PruneReport, []error) {
	s := u.Containers
	all, err := s.List(ctx, true)
	if err != nil {
		return nil, []error{err}
	}
	match, err := Filters(filters, all)
	if err != nil {
		return nil, []error{err}
	}
	var reports []define.PruneReport
	var failed []error
	for _, c := range slices.Backward(ByAge(all)) {
		if c.Status.Alive() || c.Status == define.StatusRemoving || !match(c) {
			continue
		}
		id := c.Config.ID
		size, _, err := s.Layers.Size(ctx, id)
		if err != nil { // one with --rootfs has no layer, one that was killed in its creation may have none
			size = 0
		}
		if err := s.Remove(ctx, id, define.RemoveOptions{}); isNotFound(err) {
			continue // another command was faster
		} else if err != nil {
			failed = append(failed, err)
			continue
		}
		reports = append(reports, define.PruneReport{ID: id, Size: size})
	}
	return reports, failed
}
