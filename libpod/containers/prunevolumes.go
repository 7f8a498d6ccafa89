package containers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.podman.io/storage/pkg/directory"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/moment"
)

// PruneVolumes removes the volumes, named and anonymous, that no container uses and that pass the filters. What can go,
// goes; the errors are those of the rest.
func (u Unused) PruneVolumes(ctx context.Context, filters []string) ([]define.VolumePruneReport, []error) {
	s := u.Containers
	match, err := volumeFilters(filters)
	if err != nil {
		return nil, []error{err}
	}
	if err := u.RemovePruned(); err != nil {
		return nil, []error{err}
	}
	all, err := s.State.ListVolumes(ctx)
	if err != nil {
		return nil, []error{err}
	}
	var reports []define.VolumePruneReport
	var failed []error
	for _, v := range all {
		if !match(v) {
			continue
		}
		usage, err := directory.Usage(v.Mountpoint)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("measure volume %q: %w", v.Name, err))
			continue
		}
		gone, err := s.dropVolume(ctx, v)
		if err != nil {
			failed = append(failed, err)
		}
		if gone {
			report := define.VolumePruneReport{Name: v.Name}
			if usage != nil {
				report.Size = usage.Size
			}
			reports = append(reports, report)
		}
	}
	return reports, failed
}

// dropVolume removes a volume that no container uses. The folder gets out of the way in the transaction that takes the row, so
// that a container that is created meanwhile keeps it or gets a new one; then it is removed, or by the next prune.
func (s *Service) dropVolume(ctx context.Context, v *define.Volume) (bool, error) {
	folder := filepath.Dir(v.Mountpoint)
	away := filepath.Join(filepath.Dir(folder), state.PrunedPrefix+v.Name)
	gone, err := s.State.RemoveVolume(ctx, v.Name, func() error {
		if err := os.RemoveAll(away); err != nil {
			return err
		}
		if err := os.Rename(folder, away); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil || !gone {
		return false, err
	}
	failpoint.Hit("volume-prune/dropped")
	s.Events.Write(define.Event{Time: time.Now(), Type: "volume", Status: "remove", Name: v.Name})
	if err := os.RemoveAll(away); err != nil {
		return true, fmt.Errorf("remove volume %q: %w", v.Name, err)
	}
	return true, nil
}

// Discarded are the folders of what the monitor of a container that ended is to remove.
func (u Unused) Discarded() []string { return u.Containers.discarded() }

// RemoveDiscarded removes what is in them.
func (u Unused) RemoveDiscarded() {
	for _, dir := range u.Discarded() {
		protocol.Empty(dir)
	}
}

// RemovePruned finishes what a killed prune began.
func (u Unused) RemovePruned() error {
	left, err := filepath.Glob(filepath.Join(u.Containers.Dirs.Volumes, state.PrunedPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove what is left of a volume: %w", err)
		}
	}
	return nil
}

// volumeFilters reads label, label! and until: labels must all be there, the others hold each.
func volumeFilters(list []string) (func(*define.Volume) bool, error) {
	var tests []func(*define.Volume) bool
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		switch key {
		case "label", "label!":
			has := labelled(value)
			tests = append(tests, func(v *define.Volume) bool { return has(v.Labels) == (key == "label") })
		case "until":
			at, err := moment.Parse(value, time.Now())
			if err != nil {
				return nil, errs.Invalid("filter until=%s: %v", value, err)
			}
			tests = append(tests, func(v *define.Volume) bool { return v.CreatedAt.Before(at) })
		default:
			return nil, errs.Invalid("%q is an invalid filter of volumes", key)
		}
	}
	return func(v *define.Volume) bool {
		for _, passes := range tests {
			if !passes(v) {
				return false
			}
		}
		return true
	}, nil
}
