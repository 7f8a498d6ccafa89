package registry

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// TestLinesOfManyWriters has whole lines written at once, as the library does for layers that are copied in parallel.
func TestLinesOfManyWriters(t *testing.T) {
	var said []string
	w := &lineWriter{say: func(line string) { said = append(said, line) }}
	var wg sync.WaitGroup
	var want []string
	for i := range 50 {
		line := fmt.Sprintf("line %02d", i)
		want = append(want, line)
		wg.Go(func() {
			if _, err := fmt.Fprintln(w, line); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := fmt.Fprint(w, "z, the last"); err != nil {
		t.Error(err)
	}
	w.end()
	slices.Sort(said)
	if want = append(want, "z, the last"); !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
