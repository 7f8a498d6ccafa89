package layers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.podman.io/storage"

	"hull.dev/hull/pkg/reference"
)

// Damage is what Check found.
type Damage struct {
	store  storage.Store
	report storage.CheckReport
	links  map[string]string // lost ones; of the rest nothing was found out then
	mend   func() (bool, error)
}

// Check looks whether the store has what its records say. With content it reads all layers and mounts each, which takes
// as long as the store is large. A layer that nothing uses and that is older than maxAge counts as damaged; 0 is never.
func (s *Store) Check(ctx context.Context, content bool, maxAge time.Duration) (Damage, error) {
	lost := Damage{mend: s.mendLinks}
	err := withFound(s, s.lostLinks, func(links map[string]string) error {
		unfinished, err := s.unfinished() // which the library removes
		for _, id := range unfinished {
			delete(links, id)
		}
		lost.links = links
		return err
	})
	if len(lost.links) > 0 || err != nil {
		return lost, wrap(err, "check store %q", s.GraphRoot())
	}
	store, err := s.opened(ctx)
	if err != nil {
		return Damage{}, err
	}
	_ = s.dropStrayLinks() // in the way of nothing where they cannot be
	o := storage.CheckMost()
	o.LayerDigests, o.LayerMountable = false, content
	if maxAge > 0 {
		o.LayerUnreferencedMaximumAge = &maxAge
	}
	report, err := store.Check(o)
	if err == nil && content {
		err = checkContent(ctx, store, report)
	}
	return Damage{store: store, report: report}, wrap(err, "check store %q", s.GraphRoot())
}

// Texts are what is damaged, a line each.
func (d Damage) Texts() []string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(d.links)) {
		lines = append(lines, fmt.Sprintf("layer %s: its link overlay/l/%s is lost", short(id), d.links[id]))
	}
	for _, kind := range []struct {
		name   string
		errors map[string][]error
	}{
		{"layer", d.report.Layers},
		{"read-only layer", d.report.ROLayers},
		{"image", d.report.Images},
		{"read-only image", d.report.ROImages},
		{"container of the store", d.report.Containers},
	} {
		for _, id := range slices.Sorted(maps.Keys(kind.errors)) {
			if !reference.IsID(id) {
				continue // a folder in which the driver tried out what the kernel can, and was killed: it uses it again
			}
			for _, err := range kind.errors[id] {
				what := strings.TrimPrefix(err.Error(), fmt.Sprintf("%s %s: ", kind.name, id))
				lines = append(lines, fmt.Sprintf("%s %s: %s", kind.name, short(id), what))
			}
		}
	}
	return lines
}

// Repair removes what is damaged: layers and images, and containers, of any engine, if it may.
func (d Damage) Repair(containers bool) error {
	if len(d.links) > 0 {
		_, err := d.mend()
		return err
	}
	if d.store == nil || len(d.report.Layers)+len(d.report.Images)+len(d.report.Containers) == 0 {
		return nil
	}
	if len(d.report.Containers) > 0 && !containers {
		// What they are made from is in use; the library would take it from under them.
		return nil
	}
	for _, err := range d.store.Repair(d.report, &storage.RepairOptions{RemoveContainers: containers}) {
		if err != nil {
			return classed(err)
		}
	}
	return nil
}
