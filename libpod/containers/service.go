// Package containers is what can be done to containers. Each method is one command's work: it takes the container's
// lock, brings what a dead process left into order, acts, and writes down what it is about to do before each step that
// a kill could leave half done (libpod/internal/state says where).
//
// Folders of a container:
//
//	GRAPHROOT/hull/containers/ID/   durable: ctr.log
//	RUNTIMEDIR/KEY/c/ID/            while it runs: the OCI bundle (config.json), the monitor's files (conmon/protocol), the
//	                                files mounted inside (hosts, hostname, resolv.conf, containerenv), exec/SESSION/, shm/ of another container
//	RUNTIMEDIR/KEY/netns/ID         its network namespace, when it has one of its own with an uplink
//	RUNTIMEDIR/KEY/locks/ID         its lock
package containers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/events"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/network/wire"
)

// lockWait bounds the wait for another command at work on the same container.
const lockWait = 90 * time.Second

// Images finds the image that a container is made from.
type Images interface {
	// Resolve returns the image that ref names and its name; pull is always, missing, never or newer.
	Resolve(ctx context.Context, ref, pull string) (define.Image, string, error)
	// RemoveUnused removes an image that no container uses any more.
	RemoveUnused(ctx context.Context, id string) error
	// RemoveName removes a name and with its last name the image; Conflict when a container uses it.
	RemoveName(ctx context.Context, name string) error
}

// Dirs are the folders of the engine.
type Dirs struct {
	Static   string // GRAPHROOT/hull
	Volatile string // RUNTIMEDIR/KEY
	Volumes  string // of named volumes
}

// Service acts on containers. Its fields do not change after the engine has set them.
type Service struct {
	State        *state.Store
	Layers       *layers.Store
	Images       Images
	Config       *config.Config
	Events       *events.Log
	Monitor      *monitor.Starter
	Networks     Networks
	Net          *wire.Client // hull-net
	Dirs         Dirs
	Self         []string // argv of this hull with its global flags, for the clean-up that the monitor runs
	Warn         func(string)
	RuntimeFlags []string // --runtime-flag, as the runtime reads them
	Root         bool     // no user namespace: the user is root on the host
}

// locked is a container whose lock this process holds and whose row was read after taking it.
type locked struct {
	*state.Container
	run  *state.Run // nil: it does not run
	lock *lockfile.Lock

	aside     bool         // files are set aside for the monitor to remove
	layerless bool         // this process has deleted the layer
	unmounted func() error // waits for the unmount of the layer that leave began
	launch    *launch      // of run, from create on; nil: start makes its own
}

func (c *locked) id() string { return c.Config.ID }

func (s *Service) locks() lockfile.Dir  { return lockfile.Dir(filepath.Join(s.Dirs.Volatile, "locks")) }
func (s *Service) dir(id string) string { return filepath.Join(s.Dirs.Volatile, "c", id) }

// discarded are the folders where what is nobody's waits for its removal, by the next monitor that ends.
func (s *Service) discarded() []string { return []string{s.Layers.Gone(), s.goneDirs()} }

// goneDirs is where runtime directories are set aside.
func (s *Service) goneDirs() string { return filepath.Join(s.Dirs.Volatile, "gone") }

// usernsPath is where the user namespace of a container is kept that owns its network namespace.
func (s *Service) usernsPath(id string) string { return filepath.Join(s.dir(id), "userns") }

func (s *Service) netnsPath(id string) string {
	return filepath.Join(s.Dirs.Volatile, "netns", id)
}

func (s *Service) staticDir(id string) string { return filepath.Join(s.Dirs.Static, "containers", id) }

// lock takes the lock of container id and reads its row again.
func (s *Service) lock(ctx context.Context, id string) (*locked, error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l, err := s.locks().Lock(wait, id)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errs.WithHint(errs.Conflict("container %s is locked by another hull command for over %s", short(id), lockWait),
			"see what that command waits for with ps")
	}
	if err != nil {
		return nil, err
	}
	c, err := s.reread(ctx, id, l)
	switch {
	case isNotFound(err): // it was removed while we waited, and its lock with it: ours is a new file
		l.Remove()
		return nil, err
	case err != nil:
		l.Unlock()
		return nil, err
	}
	return c, nil
}

func (s *Service) reread(ctx context.Context, id string, l *lockfile.Lock) (*locked, error) {
	row, err := s.State.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	run, err := s.State.GetRun(ctx, id)
	if err != nil {
		return nil, err
	}
	return &locked{Container: row, run: run, lock: l}, nil
}

// withLocked finds ref, takes its lock, mends what a dead process left, and calls fn. It is the only maker of a *locked
// for the methods that act.
func (s *Service) withLocked(ctx context.Context, ref string, fn func(*locked) error) error {
	row, err := s.State.Lookup(ctx, ref)
	if err != nil {
		return err
	}
	c, err := s.lock(ctx, row.Config.ID)
	if err != nil {
		return renamed(err, ref)
	}
	defer c.lock.Unlock()
	if err := s.mend(ctx, c); err != nil {
		return renamed(err, ref)
	}
	return fn(c)
}

// renamed gives a not-found of an id the words of the reference that was asked for: the container went between look-up
// and lock.
func renamed(err error, ref string) error {
	if errors.Is(err, errGone) {
		return errs.WithHint(errs.NotFound("no such container %q", ref), "hull ps --all lists what there is")
	}
	return err
}

// errGone means that mend finished a removal.
var errGone = errors.New("the container is gone")

func (s *Service) event(c *define.ContainerConfig, status string, exit *int) {
	s.Events.Write(define.Event{
		Time: time.Now(), Type: "container", Status: status, ID: c.ID, Name: c.Name, Image: c.ImageName,
		ExitCode: exit, Attributes: c.Labels,
	})
}

func short(id string) string { return id[:min(12, len(id))] }

// Each calls fn for each reference, several at a time, and returns what came of each.
func Each(refs []string, fn func(ref string) error) []error {
	const atOnce = 4
	failed := make([]error, len(refs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, ref := range refs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			failed[i] = fn(ref)
		})
	}
	wg.Wait()
	return failed
}

// explain wraps err by the act on a container; the container's name is the object.
func explain(act string, c *define.ContainerConfig, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s container %q: %w", act, c.Name, err)
}
