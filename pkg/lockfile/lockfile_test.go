package lockfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestLockIsHeldUntilUnlock(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "made", "when needed"))
	l, err := d.TryLock("a")
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(string(d)); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v, want mode 0700", st, err)
	}
	if _, err := d.TryLock("a"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v, want %v", err, ErrBusy)
	}
	other, err := d.TryLock("b")
	if err != nil {
		t.Fatalf("another name: %v", err)
	}
	other.Unlock()
	l.Unlock()
	again, err := d.TryLock("a")
	if err != nil {
		t.Fatalf("after Unlock: %v", err)
	}
	again.Unlock()
}

func TestLockWaits(t *testing.T) {
	d := Dir(t.TempDir())
	l, err := d.TryLock("a")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("until the context ends", func(t *testing.T) {
		why := errors.New("why")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, why)
		defer cancel()
		if _, err := d.Lock(ctx, "a"); !errors.Is(err, why) {
			t.Errorf("%v, want %v", err, why)
		}
	})
	t.Run("until it is free", func(t *testing.T) {
		got := make(chan error)
		go func() {
			second, err := d.Lock(t.Context(), "a")
			if err == nil {
				second.Unlock()
			}
			got <- err
		}()
		l.Unlock()
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

func TestShare(t *testing.T) {
	d := Dir(t.TempDir())
	a, err := d.Share(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Share(t.Context(), "a")
	if err != nil {
		t.Fatalf("a second holder: %v", err)
	}
	a.Unlock()
	if _, err := d.TryLock("a"); !errors.Is(err, ErrBusy) {
		t.Errorf("alone beside a holder: %v, want %v", err, ErrBusy)
	}
	b.Unlock()
	alone, err := d.TryLock("a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := d.Share(ctx, "a"); err == nil {
		t.Error("shared beside one who has it alone")
	}
	alone.Remove()
}

func TestRemoveTakesTheFileAway(t *testing.T) {
	d := Dir(t.TempDir())
	l, err := d.TryLock("a")
	if err != nil {
		t.Fatal(err)
	}
	l.Remove()
	if _, err := os.Lstat(filepath.Join(string(d), "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}

// Who opened the file before it was removed must not believe to hold the lock of the new one.
func TestOneHolderThoughTheFileIsRemoved(t *testing.T) {
	d := Dir(t.TempDir())
	var wg sync.WaitGroup
	held := make(chan struct{}, 1) // full while somebody holds the lock
	for range 8 {
		wg.Go(func() {
			for range 3000 {
				l, err := d.TryLock("a") // Lock would wait between its tries, and not meet the moment of a Remove
				if errors.Is(err, ErrBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case held <- struct{}{}:
					runtime.Gosched()
					<-held
				default:
					t.Error("two hold the lock")
				}
				l.Remove()
			}
		})
	}
	wg.Wait()
}

func TestLinkIsNoLock(t *testing.T) {
	d := Dir(t.TempDir())
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Symlink(target, filepath.Join(string(d), "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.TryLock("a"); err == nil {
		t.Error("a link is followed")
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the link's target was made")
	}
}
