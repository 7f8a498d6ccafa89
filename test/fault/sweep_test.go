package fault

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// find runs each story and returns the points that it passes.
func (s *suite) find(t *testing.T) map[string][]string {
	found := map[string][]string{} // by story
	var mu sync.Mutex
	t.Run("find", func(t *testing.T) {
		for name, st := range stories {
			if full := "kill/" + name + "/"; !s.only.MatchString(full) && !strings.HasPrefix(*only, full) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				points := s.findIn(t, st)
				mu.Lock()
				defer mu.Unlock()
				found[name] = points
			})
		}
	})
	if *only == "" {
		s.everyPoint(t, found)
	}
	return found
}

// sweep kills each story at each of its points.
func (s *suite) sweep(t *testing.T, found map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for _, point := range found[name] {
			s.run(t, "kill/"+name+"/"+strings.ReplaceAll(point, "/", "."), func(t *testing.T) {
				t.Helper()
				s.kill(t, stories[name], point)
			})
		}
	}
}

// everyPoint fails the test for a point of the source that no story passes.
func (s *suite) everyPoint(t *testing.T, found map[string][]string) {
	data, err := os.ReadFile(filepath.Join(s.base, pointsFile))
	if err != nil {
		t.Fatal(err)
	}
	passed := slices.Concat(slices.Collect(maps.Values(found))...)
	for point := range strings.FieldsSeq(string(data)) {
		if !slices.Contains(passed, point) {
			t.Errorf("no story passes failpoint %q: it wants one in stories_test.go", point)
		}
	}
}

// prepare makes a sandbox in which the story can begin.
func (s *suite) prepare(t *testing.T, st story) *box {
	t.Helper()
	b := filled(t, s.base)
	for _, line := range st.setup {
		b.must(line)
	}
	if st.mess != nil {
		st.mess(b)
	}
	return b
}

// findIn runs the story and returns the points that its processes pass.
func (s *suite) findIn(t *testing.T, st story) []string {
	b := s.prepare(t, st)
	log := filepath.Join(b.Dir, "passed")
	b.tellHelpers(log, "")
	b.must(st.act, "HULL_FAILPOINT_LOG="+log)
	if st.ends {
		b.quiet()
	}
	b.tellNoHelper()
	points := read(t, log)
	b.whole()
	b.end()
	return points
}

// tellHelpers has the helpers that live on between commands, those that run too, log their points and die at one of them.
func (b *box) tellHelpers(log, point string) {
	b.t.Helper()
	if err := os.WriteFile(b.helpers(), []byte(log+"\n"+point), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) tellNoHelper() { _ = os.Remove(b.helpers()) } // one that died has taken it away

func (b *box) helpers() string { return filepath.Join(b.Dir, "helpers") }

// read returns the lines of the log of points, each once.
func read(t *testing.T, log string) []string {
	t.Helper()
	data, err := os.ReadFile(log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	points := strings.Fields(string(data))
	slices.Sort(points)
	return slices.Compact(points)
}

// kill runs the story with a kill -9 at the point, and then what a user would do.
func (s *suite) kill(t *testing.T, st story, point string) {
	b := s.prepare(t, st)
	log := filepath.Join(b.Dir, "passed")
	b.died = true
	b.tellHelpers(log, point)
	killed := b.do(st.act, "HULL_FAILPOINT="+point, "HULL_FAILPOINT_LOG="+log)
	if st.ends {
		b.quiet("hull-net", "slirp4netns", "pasta") // they serve what was not cleaned up
	}
	b.until("it comes to "+point+": "+killed.String(), func() bool { return slices.Contains(read(t, log), point) })
	b.tellNoHelper()
	b.whole()
	again := b.do(st.act)
	if !again.ok() && (st.fine == "" || !regexp.MustCompile(st.fine).MatchString(again.stderr)) {
		t.Errorf("killed: %s\nagain: %s", killed, again)
	}
	if st.ends {
		b.quiet()
	}
	b.whole()
	b.end()
}
