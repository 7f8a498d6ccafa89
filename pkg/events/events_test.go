package events

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A follower gets what was written before and what comes, over a rotation, and ends with its context.
func TestFollow(t *testing.T) {
	l := &Log{filepath.Join(t.TempDir(), "new", "events.log")}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Read(ctx, true, func(line []byte) error { got <- string(line[:min(10, len(line))]); return nil })
	}()
	for i := range 12 {
		l.Write(fmt.Sprintf("%02d%s", i, strings.Repeat("x", maxSize/5))) // rotates twice
		select {
		case line := <-got:
			if want := fmt.Sprintf(`"%02d`, i); !strings.HasPrefix(line, want) {
				t.Fatalf("%s, want %s", line, want)
			}
		case <-ctx.Done():
			t.Fatalf("event %d did not come", i)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestReadNothing(t *testing.T) {
	l := &Log{filepath.Join(t.TempDir(), "events.log")}
	if err := l.Read(t.Context(), false, func([]byte) error { t.Error("a line"); return nil }); err != nil {
		t.Fatal(err)
	}
}
