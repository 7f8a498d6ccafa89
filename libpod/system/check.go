package system

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/transfer/staging"
)

// A finding has to stay for so long, looked at so often: a process that was just told to end, and a monitor that is about
// to clean up, are not found.
const (
	patience = 2 * time.Second
	pause    = 150 * time.Millisecond
)

// Check returns what rows and things do not agree on, and what is damaged. Of a container that another command works on
// nothing is said: everything that is found was looked at once more under the container's lock.
func (s *Service) Check(ctx context.Context, o define.CheckOptions) ([]define.Finding, error) {
	found, err := s.pass(ctx, o)
	for end := time.Now().Add(patience); err == nil && len(found) > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
		var again []define.Finding
		again, err = s.pass(ctx, o)
		found = slices.DeleteFunc(found, func(f define.Finding) bool { return !slices.Contains(again, f) })
	}
	return found, err
}

// pass is one look at everything.
func (s *Service) pass(ctx context.Context, o define.CheckOptions) ([]define.Finding, error) {
	found, err := s.checkContainers(ctx)
	if err != nil {
		return nil, err
	}
	volumes, err := s.checkVolumes(ctx)
	if err != nil {
		return nil, err
	}
	files, err := s.checkFiles()
	if err != nil {
		return nil, err
	}
	pulls, err := s.checkPulls()
	if err != nil {
		return nil, err
	}
	keepers, err := s.checkKeepers(ctx)
	if err != nil {
		return nil, err
	}
	networks, err := s.checkNetworks(ctx)
	if err != nil {
		return nil, err
	}
	artifacts, err := s.checkArtifacts(ctx)
	if err != nil {
		return nil, err
	}
	damage, err := s.Layers.Check(ctx, !o.Quick, o.MaxAge)
	if err != nil {
		return nil, err
	}
	found = slices.Concat(found, volumes, networks, keepers, artifacts, files, pulls, s.checkDiscarded())
	for _, text := range damage.Texts() {
		found = append(found, define.Finding{Text: text})
	}
	return found, nil
}

func (s *Service) checkContainers(ctx context.Context) ([]define.Finding, error) {
	all, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.dropLocks(ctx, all); err != nil {
		return nil, err
	}
	var suspects []string
	for id, f := range all {
		if len(s.judge(id, f)) > 0 {
			suspects = append(suspects, id)
		}
	}
	slices.Sort(suspects)
	var found []define.Finding
	err = s.withLocks(ctx, suspects, func(id string, f *facts) error {
		for _, text := range s.judge(id, f) {
			found = append(found, define.Finding{ID: id, Text: title(id, f) + ": " + text})
		}
		return nil
	})
	return found, err
}

// dropLocks takes away the lock files of containers that are not known: who held one died with the last of its container.
func (s *Service) dropLocks(ctx context.Context, all map[string]*facts) error {
	ids, err := idsIn(filepath.Join(s.Dirs.Volatile, "locks"))
	for _, id := range ids {
		if f := all[id]; f == nil || f.row == nil {
			err = errors.Join(err, s.Containers.Mend(ctx, id))
		}
	}
	return err
}

// withLocks looks at the containers again with their locks held, and calls fn for those whose lock was free.
func (s *Service) withLocks(ctx context.Context, ids []string, fn func(id string, f *facts) error) error {
	held := map[string]*lockfile.Lock{}
	var all map[string]*facts
	defer func() {
		for id, l := range held {
			if f := all[id]; f != nil && f.row != nil {
				l.Unlock()
			} else {
				l.Remove() // nobody has a use for it
			}
		}
	}()
	for _, id := range ids {
		l, err := s.Containers.Locks().TryLock(id)
		if errors.Is(err, lockfile.ErrBusy) {
			continue
		}
		if err != nil {
			return err
		}
		held[id] = l
	}
	if len(held) == 0 {
		return nil
	}
	all, err := s.look(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range ids {
		if f := all[id]; f != nil && held[id] != nil {
			failed = append(failed, fn(id, f))
		}
	}
	return errors.Join(failed...)
}

// title names a container in a finding.
func title(id string, f *facts) string {
	if f.row == nil {
		return "container " + short(id)
	}
	return fmt.Sprintf("container %q (%s)", f.row.Config.Name, short(id))
}

// judge says what is wrong with a container.
func (s *Service) judge(id string, f *facts) []string {
	if f.row == nil {
		return f.withoutRow()
	}
	if text := s.Containers.Unsettled(f.row, f.run, f.execs); text != "" {
		return []string{text}
	}
	var texts []string
	if f.run == nil {
		for _, t := range f.leftovers() {
			texts = append(texts, "it does not run, and "+t+" is there")
		}
	} else if f.row.Config.Network == "bridge" && !f.has(place) {
		texts = append(texts, "it runs, and has no place on its networks: hull restart "+f.row.Config.Name)
	}
	if !f.record && !f.row.Config.Options.Rootfs {
		texts = append(texts, "its layer is not in the store")
	}
	if !f.static {
		texts = append(texts, "its folder "+s.staticDir(id)+" is missing")
	}
	return texts
}

// withoutRow lists everything of a container that is not known.
func (f *facts) withoutRow() []string {
	list := f.leftovers()
	if f.run != nil {
		list = append(list, "the record of its run")
	}
	if len(f.execs) > 0 {
		list = append(list, "an exec session")
	}
	if f.static {
		list = append(list, "its folder")
	}
	if f.record {
		list = append(list, "its layer")
	}
	for i := range list {
		list[i] = "it is not known, and " + list[i] + " is there"
	}
	return list
}

func (f *facts) has(kind string) bool {
	return slices.ContainsFunc(f.things, func(t thing) bool { return t.kind == kind })
}

// leftovers names what a container that does not run must not have.
func (f *facts) leftovers() []string {
	var list []string
	for _, t := range f.things {
		list = append(list, t.kind)
	}
	for _, point := range f.mounts {
		list = append(list, "the mount "+point)
	}
	for _, pid := range f.pids {
		list = append(list, fmt.Sprintf("its process %d", pid))
	}
	return list
}

// checkVolumes compares the rows of volumes with their folders. A folder without a row is looked for only in hull's own
// place: one that containers.conf names is podman's too.
func (s *Service) checkVolumes(ctx context.Context) ([]define.Finding, error) {
	rows, err := s.State.ListVolumes(ctx)
	if err != nil {
		return nil, err
	}
	var found []define.Finding
	known := map[string]bool{}
	for _, v := range rows {
		known[v.Name] = true
		if _, err := os.Stat(v.Mountpoint); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		busy, err := s.beingMade(ctx, v.Name)
		if err != nil {
			return nil, err
		}
		if !busy {
			found = append(found, define.Finding{Text: fmt.Sprintf("volume %q: its folder %s is missing", v.Name, v.Mountpoint)})
		}
	}
	if s.Dirs.Volumes != filepath.Join(s.Dirs.Static, "volumes") {
		return found, nil
	}
	entries, err := os.ReadDir(s.Dirs.Volumes)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), state.PrunedPrefix); ok {
			found = append(found, define.Finding{Text: fmt.Sprintf("volume %q: its removal was not finished, and %s is there", name, filepath.Join(s.Dirs.Volumes, e.Name()))})
			continue
		}
		if !known[e.Name()] {
			found = append(found, define.Finding{Text: fmt.Sprintf("volume %q: it is not known, and its folder %s is there", e.Name(), filepath.Join(s.Dirs.Volumes, e.Name()))})
		}
	}
	return found, nil
}

// beingMade reports whether a container that uses the volume is being created or removed: the row comes before the folder
// and goes after it.
func (s *Service) beingMade(ctx context.Context, volume string) (bool, error) {
	users, err := s.State.UsersOf(ctx, volume)
	if err != nil {
		return false, err
	}
	for _, id := range users {
		row, err := s.State.Get(ctx, id)
		if errs.IsNotFound(err) {
			return true, nil // it was there a moment ago
		}
		if err != nil {
			return false, err
		}
		if row.Intent != state.IntentNone {
			return true, nil
		}
	}
	return false, nil
}

// staleFile is how old a file of atomicfile's has to be until nobody is about to rename it, and a folder that was set aside
// until no monitor is about to remove it.
const staleFile = time.Minute

// checkDiscarded finds what a monitor should have removed, and did not live to.
func (s *Service) checkDiscarded() []define.Finding {
	var found []define.Finding
	for _, dir := range s.Unused.Discarded() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			var st unix.Stat_t
			path := filepath.Join(dir, e.Name())
			if unix.Lstat(path, &st) == nil && time.Since(time.Unix(st.Ctim.Unix())) > staleFile {
				found = append(found, define.Finding{Text: "folder " + path + ": a removal that was not finished; the next container that ends finishes it"})
			}
		}
	}
	return found
}

// checkFiles finds the files of writes that were killed.
func (s *Service) checkFiles() ([]define.Finding, error) {
	var found []define.Finding
	places := map[string]string{
		s.Dirs.Static: ".", filepath.Join(s.Dirs.Static, "seccomp"): ".", s.Dirs.Volatile: ".", s.Net.Dir: ".", s.attachments(): ".",
	}
	for _, records := range []string{"images", "layers", "containers"} { // the storage library's, which others write too
		dirs, err := filepath.Glob(filepath.Join(s.Layers.GraphRoot(), "*-"+records))
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			places[dir] = ".tmp-"
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(places)) {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && strings.HasPrefix(e.Name(), places[dir]) && info.Mode().IsRegular() && time.Since(info.ModTime()) > staleFile {
				found = append(found, define.Finding{Text: "file " + filepath.Join(dir, e.Name()) + ": a write that was not finished"})
			}
		}
	}
	return found, nil
}

// checkPulls finds what pulls and loads that were killed have left on their way into the store.
func (s *Service) checkPulls() ([]define.Finding, error) {
	var found []define.Finding
	stale, err := staging.Stale(s.Layers.GraphRoot())
	for _, dir := range stale {
		if info, err := os.Lstat(dir); err == nil && time.Since(info.ModTime()) > staleFile {
			found = append(found, define.Finding{Text: "folder " + dir + ": a pull or load that was not finished; the next one removes it"})
		}
	}
	return found, err
}
