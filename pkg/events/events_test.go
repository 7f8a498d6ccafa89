package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func read(t *testing.T, l *Log) []string {
	t.Helper()
	var got []string
	if err := l.Read(t.Context(), false, func(line []byte) error {
		got = append(got, string(line))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWriteAndRead(t *testing.T) {
	l := &Log{filepath.Join(t.TempDir(), "made", "events")}
	if got := read(t, l); got != nil {
		t.Errorf("%q before the first event", got)
	}
	l.Write(map[string]int{"a": 1})
	l.Write("two\nlines")
	if got := read(t, l); !slices.Equal(got, []string{`{"a":1}`, `"two\nlines"`}) {
		t.Errorf("%q", got)
	}
	if st, err := os.Stat(l.Path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want mode 0600", st, err)
	}
	t.Run("an error of the reader ends it", func(t *testing.T) {
		stop, n := errors.New("stop"), 0
		err := l.Read(t.Context(), true, func([]byte) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("%v after %d lines", err, n)
		}
	})
}

func TestWhatCannotBeWrittenIsLost(t *testing.T) {
	(&Log{}).Write("x") // backend "none"
	l := &Log{filepath.Join(t.TempDir(), "events")}
	l.Write(func() {})
	if err := os.Symlink(filepath.Join(t.TempDir(), "target"), l.Path); err != nil {
		t.Fatal(err)
	}
	l.Write("x")
	if target, _ := os.Readlink(l.Path); target == "" {
		t.Error("the link is gone")
	} else if _, err := os.Lstat(target); err == nil {
		t.Error("the link was followed")
	}
}

func TestAFullFileMoves(t *testing.T) {
	l := &Log{filepath.Join(t.TempDir(), "events")}
	l.Write(strings.Repeat("x", maxSize))
	l.Write("after")
	if got := read(t, l); len(got) != 2 || got[1] != `"after"` {
		t.Errorf("%d events", len(got))
	}
	if st, err := os.Stat(l.Path + ".1"); err != nil || st.Size() < maxSize {
		t.Errorf("%v, %v, want the full file beside", st, err)
	}
}

func TestLinesOfSeveralWritersDoNotMix(t *testing.T) {
	l := &Log{filepath.Join(t.TempDir(), "events")}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				l.Write(strings.Repeat(fmt.Sprint(i), 200))
			}
		})
	}
	wg.Wait()
	got := read(t, l)
	for _, line := range got {
		if text := strings.Trim(line, `"`); len(text) != 200 || strings.Trim(text, text[:1]) != "" {
			t.Fatalf("a line is %q", line)
		}
	}
	if len(got) != 400 {
		t.Errorf("%d lines, want 400", len(got))
	}
}

// Following begins before there is a file, and goes on when the file moves.
func TestFollow(t *testing.T) {
	l := &Log{filepath.Join(t.TempDir(), "events")}
	ctx, cancel := context.WithCancel(t.Context())
	lines, end := make(chan string), make(chan error)
	go func() {
		end <- l.Read(ctx, true, func(line []byte) error {
			lines <- string(line)
			return nil
		})
	}()
	for _, text := range []string{"first", strings.Repeat("x", maxSize), "third"} {
		l.Write(text)
		if got := <-lines; got != `"`+text+`"` {
			t.Fatalf("%.20q, want %.20q", got, text)
		}
	}
	cancel()
	if err := <-end; err != nil {
		t.Error(err)
	}
}

// A follower gets what was written before and what comes, over a rotation, and ends with its context.
func TestFollowOverRotations(t *testing.T) {
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
