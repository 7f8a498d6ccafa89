package registry

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.podman.io/image/v5/docker/reference"

	"hull.dev/hull/pkg/layers"
)

// Two jobs do not write signatures of one repository at once, whatever the tag; the second says that it waits.
func TestWhileSigning(t *testing.T) {
	dir := t.TempDir()
	store, err := layers.Open(layers.Options{Root: dir + "/root", RunRoot: dir + "/run", Driver: "vfs"})
	if err != nil {
		t.Fatal(err)
	}
	named := func(text string) reference.Named {
		name, err := reference.ParseNormalizedNamed(text)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	waits := make(chan string, 1)
	first := &job{store: store, say: func(string) {}}
	second := &job{store: store, say: func(text string) { waits <- text }}
	var inside atomic.Int32
	alone := func() error {
		if inside.Add(1) != 1 {
			return errors.New("two write at once")
		}
		return nil
	}
	done := make(chan error)
	err = first.whileSigning(t.Context(), named("x.example/a:1"), func() error {
		if err := first.whileSigning(t.Context(), named("x.example/a:1"), alone); err != nil { // the library's copy, then gpg
			return err
		}
		go func() { done <- second.whileSigning(t.Context(), named("x.example/a:2"), alone) }()
		if said := <-waits; !strings.HasSuffix(said, "x.example/a") {
			t.Errorf("it says %q", said)
		}
		third := &job{store: store}
		inside.Add(-1)
		if err := third.whileSigning(t.Context(), named("x.example/b:1"), alone); err != nil {
			t.Errorf("another repository: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		third.say = func(string) {}
		if err := third.whileSigning(ctx, named("x.example/a"), alone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who is told to stop: %v", err)
		}
		inside.Add(-1)
		return nil
	})
	if err := errors.Join(err, <-done); err != nil {
		t.Error(err)
	}
}
