package registry

import (
	"context"
	"errors"
	"path/filepath"

	"hull.dev/hull/pkg/lockfile"
)

// turns are the layers that this job brings into the store: it has the lock of each, so that another pull that wants one
// too waits, and finds it there. Locks are taken from the lowest layer up, and the name of one holds all that lie below
// it, so no two pulls wait for each other.
type turns struct {
	dir  lockfile.Dir
	held map[string]*lockfile.Lock // by the layer's id
}

func newTurns(runRoot string) *turns {
	return &turns{lockfile.Dir(filepath.Join(runRoot, "hull-pulls")), map[string]*lockfile.Lock{}}
}

// take takes the locks of the layers from the first on, up to one that another job has, and returns how many are held. It
// waits for the first. taken is false when all of these were held before: then what the store has of them is known.
func (t *turns) take(ctx context.Context, ids []string, waits func()) (n int, taken bool, err error) {
	for _, id := range ids {
		if t.held[id] != nil {
			n++
			continue
		}
		lock, err := t.dir.TryLock(id)
		if errors.Is(err, lockfile.ErrBusy) && n > 0 {
			return n, taken, nil
		}
		if errors.Is(err, lockfile.ErrBusy) {
			waits()
			lock, err = t.dir.Lock(ctx, id)
		}
		if err != nil {
			return n, taken, err
		}
		t.held[id], taken = lock, true
		n++
	}
	return n, taken, nil
}

// release lets others have their turn.
func (t *turns) release() {
	for _, lock := range t.held {
		lock.Remove()
	}
	clear(t.held)
}
