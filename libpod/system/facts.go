package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/reference"
)

// facts are the rows and the things of one container, each of which may be missing.
type facts struct {
	row   *state.Container
	run   *state.Run
	execs []*define.ExecSession

	things []thing // what a container holds while it runs
	static bool    // GRAPHROOT/hull/containers/ID
	record bool    // in the store
	pids   []int   // inside, or watching
	mounts []string
}

// thing is something that is there besides the rows.
type thing struct{ kind, path string }

// Kinds of things.
const (
	folder  = "the runtime folder"
	netNS   = "the network namespace"
	place   = "its place on the networks"
	runtime = "the OCI runtime's state"
	cgroup  = "the cgroup"
	layer   = "the mounted layer"
)

// look collects what there is. It takes no lock: what it finds of a container is true for who holds the container's.
func (s *Service) look(ctx context.Context) (map[string]*facts, error) {
	found := map[string]*facts{}
	of := func(id string) *facts {
		if found[id] == nil {
			found[id] = &facts{}
		}
		return found[id]
	}
	if err := s.lookThings(of); err != nil {
		return nil, err
	}
	if err := s.lookRows(ctx, of); err != nil {
		return nil, err
	}
	if err := s.lookStore(ctx, found, of); err != nil {
		return nil, err
	}
	if err := s.lookProcesses(found, of); err != nil {
		return nil, err
	}
	for id, f := range found {
		o := &define.CreateOptions{}
		if f.row != nil {
			o = &f.row.Config.Options
		}
		// By name, since engines with other graph roots have theirs beside ours.
		path := ocispec.CgroupPath(id, o)
		if fileExists("/sys/fs/cgroup" + path) {
			f.things = append(f.things, thing{cgroup, path})
		}
	}
	return found, nil
}

func (s *Service) lookRows(ctx context.Context, of func(string) *facts) error {
	rows, err := s.State.All(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		of(row.Config.ID).row = row
	}
	runs, err := s.State.Runs(ctx)
	if err != nil {
		return err
	}
	for id, run := range runs {
		of(id).run = run
	}
	execs, err := s.State.Execs(ctx, "")
	for _, e := range execs {
		f := of(e.ContainerID)
		f.execs = append(f.execs, e)
	}
	return err
}

func (s *Service) lookThings(of func(string) *facts) error {
	for _, place := range []struct{ kind, dir string }{
		{folder, filepath.Join(s.Dirs.Volatile, "c")},
		{netNS, filepath.Join(s.Dirs.Volatile, "netns")},
		{place, s.attachments()},
		{"", filepath.Join(s.Dirs.Static, "containers")},
	} {
		ids, err := idsIn(place.dir)
		if err != nil {
			return err
		}
		for _, id := range ids {
			f := of(id)
			if place.kind == "" {
				f.static = true
				continue
			}
			f.things = append(f.things, thing{place.kind, filepath.Join(place.dir, id)})
		}
	}
	// The folder of each OCI runtime that was ever used lies beside ours.
	entries, err := os.ReadDir(s.Dirs.Volatile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if n := e.Name(); !e.IsDir() || n == "c" || n == "netns" || n == "locks" {
			continue
		}
		ids, err := idsIn(filepath.Join(s.Dirs.Volatile, e.Name()))
		if err != nil {
			return err
		}
		for _, id := range ids {
			f := of(id)
			f.things = append(f.things, thing{runtime, filepath.Join(s.Dirs.Volatile, e.Name(), id)})
		}
	}
	mounts, err := s.mounts()
	if err != nil {
		return err
	}
	for id, points := range mounts {
		of(id).mounts = points
	}
	return nil
}

// lookProcesses comes after all else: an uplink by itself says nothing, since one in a container that hull runs in may have
// the same arguments.
func (s *Service) lookProcesses(found map[string]*facts, of func(string) *facts) error {
	inside, uplinks, err := s.processes()
	if err != nil {
		return err
	}
	for id, pids := range inside {
		of(id).pids = pids
	}
	for id, pids := range uplinks {
		if f := found[id]; f != nil {
			f.pids = append(f.pids, pids...)
		}
	}
	return nil
}

// lookStore looks for the records of hull's containers in the store, and for layers that are mounted.
func (s *Service) lookStore(ctx context.Context, found map[string]*facts, of func(string) *facts) error {
	records, err := s.Layers.Containers(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Ours && !r.Keeps {
			of(r.ID).record = true
		}
	}
	own, err := s.Layers.OwnLayers()
	if err != nil {
		return err
	}
	for id, whole := range own {
		of(id).record = whole || of(id).row == nil
	}
	for id, f := range found {
		if !f.record || f.run != nil {
			continue
		}
		mounted, err := s.Layers.Mounted(ctx, id)
		if err == nil && mounted {
			f.things = append(f.things, thing{layer, s.Layers.GraphRoot()})
		}
	}
	return nil
}

// idsIn are the names in dir that are container ids.
func idsIn(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	ids := names[:0]
	for _, n := range names {
		if reference.IsID(n) {
			ids = append(ids, n)
		}
	}
	return ids, err
}
