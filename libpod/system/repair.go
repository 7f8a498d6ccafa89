package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network/wire"
	"hull.dev/hull/pkg/ociruntime"
	"hull.dev/hull/pkg/transfer/staging"
)

// Repair puts right what Check has found and returns what it could not, with the errors it met. What is of use to nobody
// goes; a damaged container or image goes with o.Force alone.
func (s *Service) Repair(ctx context.Context, found []define.Finding, o define.CheckOptions) ([]define.Finding, error) {
	var ids []string
	var failed []error
	for _, f := range found {
		if f.ID != "" && !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
			failed = append(failed, s.Containers.Mend(ctx, f.ID))
		}
	}
	failed = append(failed, s.withLocks(ctx, ids, func(id string, f *facts) error { return s.scrub(ctx, id, f) }))
	failed = append(failed, s.repairFiles(ctx), staging.Sweep(s.Layers.GraphRoot()), s.repairKeepers(ctx), s.repairArtifacts(ctx), s.repairNetworks(ctx))
	damage, err := s.Layers.Check(ctx, !o.Quick, o.MaxAge)
	if err == nil {
		err = damage.Repair(o.Force)
	}
	failed = append(failed, err)
	if o.Force {
		failed = append(failed, s.force(ctx, ids))
	}
	left, err := s.pass(ctx, o)
	return left, errors.Join(append(failed, err)...)
}

// scrub takes away what a container holds and has no use for. The caller holds its lock, and its rows are mended.
func (s *Service) scrub(ctx context.Context, id string, f *facts) error {
	var failed []error
	if f.row != nil && !f.static {
		failed = append(failed, os.MkdirAll(s.staticDir(id), 0o700))
	}
	if f.row != nil && f.run != nil {
		return errors.Join(failed...) // it runs
	}
	failed = append(failed, s.endProcesses(ctx, id, f.pids))
	for _, point := range f.mounts {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			failed = append(failed, fmt.Errorf("unmount %q: %w", point, err))
		}
	}
	for _, t := range f.things {
		switch t.kind {
		case place:
			_, err := s.Net.Ask(ctx, wire.Request{Op: wire.Detach, ID: id})
			failed = append(failed, err)
		case netNS:
			failed = append(failed, netns.Remove(t.path))
		case cgroup:
			failed = append(failed, ociruntime.RemoveCgroup(ctx, t.path))
		case layer:
			failed = append(failed, s.Layers.Unmount(ctx, id))
		default:
			failed = append(failed, os.RemoveAll(t.path))
		}
	}
	if f.run != nil || len(f.execs) > 0 {
		failed = append(failed, s.State.RemoveRun(ctx, id))
	}
	if f.row == nil && f.record {
		failed = append(failed, s.Layers.Delete(ctx, id))
	}
	if f.row == nil && f.static {
		failed = append(failed, os.RemoveAll(s.staticDir(id)))
	}
	return errors.Join(failed...)
}

// endProcesses kills and waits until they are gone.
func (s *Service) endProcesses(ctx context.Context, id string, pids []int) error {
	if len(pids) == 0 {
		return nil
	}
	if err := kill(pids, func(pid int) bool { return s.owner(pid) == id }); err != nil {
		return err
	}
	const most, tick = 5 * time.Second, 10 * time.Millisecond
	for end := time.Now().Add(most); time.Now().Before(end); {
		inside, uplinks, err := s.processes()
		if err != nil || len(inside[id])+len(uplinks[id]) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(tick):
		}
	}
	return fmt.Errorf("the processes of container %s do not end", short(id))
}

// repairFiles makes the folders of volumes that lack them and removes what killed writes left. The folder of a volume that
// is not known is somebody's data: it stays, and stays a finding.
func (s *Service) repairFiles(ctx context.Context) error {
	rows, err := s.State.ListVolumes(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, v := range rows {
		failed = append(failed, os.MkdirAll(v.Mountpoint, 0o755))
	}
	failed = append(failed, s.Unused.RemovePruned())
	s.Unused.RemoveDiscarded()
	files, err := s.checkFiles()
	if err != nil {
		return err
	}
	for _, f := range files {
		path, _, _ := strings.Cut(strings.TrimPrefix(f.Text, "file "), ": ")
		failed = append(failed, os.Remove(path))
	}
	return errors.Join(failed...)
}

// force stops the containers that nobody watches and removes those that have lost their layer.
func (s *Service) force(ctx context.Context, ids []string) error {
	all, err := s.look(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range ids {
		f := all[id]
		switch {
		case f == nil || f.row == nil:
		case !f.record && !f.row.Config.Options.Rootfs:
			failed = append(failed, s.Containers.Remove(ctx, id, define.RemoveOptions{Force: true, Ignore: true}))
		case f.run != nil && s.Containers.Unsettled(f.row, f.run, nil) != "":
			failed = append(failed, s.Containers.Stop(ctx, id, define.StopOptions{Ignore: true}))
		}
	}
	return errors.Join(failed...)
}
