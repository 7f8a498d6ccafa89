package containers

import (
	"context"
	"fmt"
	"slices"

	"hull.dev/hull/libpod/internal/state"
	"hull.dev/hull/pkg/cleanup"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/layers"
	"hull.dev/hull/pkg/lockfile"
)

// The store knows of all containers that are made from an image by one record, the image's keeper (pkg/layers). It comes
// with the first and goes with the last:
//
//	create                                        removal
//	  row, intent create                            row, intent rm
//	  share the image's lock                        delete layer
//	  no keeper: take it alone, make the keeper     another row of the image: delete row, in one transaction
//	  layer                                         else take the image's lock alone; still none: delete keeper
//	  unlock                                        delete row, unlock
//
// A create whose row another's removal saw finds the keeper, or dies and is removed itself, as the last.

// Keepers sees to it that each image which containers are made from has its keeper, and no other.
type Keepers struct {
	State  *state.Store
	Layers *layers.Store
	Locks  lockfile.Dir
}

func (s *Service) keepers() *Keepers { return &Keepers{s.State, s.Layers, s.locks()} }

// imageLock is the name of an image's lock.
func imageLock(imageID string) string { return "image-" + imageID }

// alone takes the lock of an image alone.
func (k *Keepers) alone(ctx context.Context, imageID string) (*lockfile.Lock, error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l, err := k.Locks.Lock(wait, imageLock(imageID))
	if err != nil {
		return nil, fmt.Errorf("keep image %q: %w", short(imageID), err)
	}
	return l, nil
}

// hold takes the lock of an image so that it stays kept until the unlock: shared with others who want that, or alone
// when the keeper is still to be made.
func (k *Keepers) hold(ctx context.Context, imageID string) (*lockfile.Lock, error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l, err := k.Locks.Share(wait, imageLock(imageID))
	if err != nil {
		return nil, fmt.Errorf("keep image %q: %w", short(imageID), err)
	}
	kept, err := k.Layers.Kept(imageID)
	if kept && err == nil {
		return l, nil
	}
	l.Unlock()
	if err != nil {
		return nil, err
	}
	return k.alone(ctx, imageID)
}

// forget removes the row, with these volumes, and before it the keeper of an image that no other container is made from.
func (k *Keepers) forget(ctx context.Context, c *locked, volumes []string) error {
	if c.Config.ImageID == "" {
		return k.State.RemoveContainer(ctx, c.id(), volumes)
	}
	if gone, err := k.State.RemoveUnlessLast(ctx, c.id(), c.Config.ImageID, volumes); gone || err != nil {
		return err
	}
	l, err := k.alone(ctx, c.Config.ImageID)
	if err != nil {
		return err
	}
	defer l.Unlock()
	users, err := k.State.UsingImage(ctx, c.Config.ImageID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(id string) bool { return id != c.id() }) { // a create came before the lock
		return k.State.RemoveContainer(ctx, c.id(), volumes)
	}
	if err := k.Layers.Release(ctx, c.Config.ImageID); err != nil {
		return err
	}
	failpoint.Hit("rm/released")
	if err := k.State.RemoveContainer(ctx, c.id(), volumes); err != nil {
		return err
	}
	l.Remove()
	return nil
}

// Release removes the keeper of an image that no container is made from, where a dead process has left one.
func (k *Keepers) Release(ctx context.Context, imageID string) error {
	l, err := k.alone(ctx, imageID)
	if err != nil {
		return err
	}
	defer l.Unlock()
	users, err := k.State.UsingImage(ctx, imageID)
	if err != nil || len(users) > 0 {
		return err
	}
	undo, cancel := cleanup.Context(ctx)
	defer cancel()
	err = k.Layers.Release(undo, imageID)
	l.Remove()
	return err
}
