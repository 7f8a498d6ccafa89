package fault

import (
	"strings"
	"sync"
)

// The commands that race for a container c.
const (
	start   = "start c"
	stop    = "stop -t0 c"
	remove  = "rm -f -t0 c"
	rename  = "rename c d"
	execute = "exec c true"
	restart = "restart -t0 c"
)

// expected is what a racer may say who lost.
var expected = []string{"no such container", "can only create exec sessions on running containers", "name \"d\" is taken", "is gone", "ended meanwhile"}

// together runs command lines at the same time and returns how they ended.
func (b *box) together(lines ...string) []result {
	b.t.Helper()
	results := make([]result, len(lines))
	var g sync.WaitGroup
	for i, line := range lines {
		g.Go(func() { results[i] = b.do(line) })
	}
	g.Wait()
	return results
}

// racers has two commands race for one container, again and again: each wins or says in one line why it lost.
func racers(one, other string) func(*box) {
	return func(b *box) {
		for range 6 {
			b.must("rm -fi -t0 c d")
			if one == start {
				b.must("create --name c busybox sleep 1000")
			} else {
				b.must(sleeps)
			}
			for _, r := range b.together(one, other) {
				if !r.ok() {
					b.lost(r)
				}
			}
			b.whole()
		}
		b.end()
	}
}

// lost fails the case if a racer lost for another reason than the other.
func (b *box) lost(r result) {
	b.t.Helper()
	if strings.HasPrefix(r.line, execute) && (r.code == 137 || r.code == 255) {
		return // the session's process was killed with the container
	}
	b.says(r, "")
	for _, words := range expected {
		if strings.Contains(r.stderr, words) {
			return
		}
	}
	b.t.Errorf("a racer lost for a strange reason: %s", r)
}

// racersCreate: of two containers with one name exactly one is made.
func racersCreate(b *box) {
	for range 6 {
		won := 0
		for _, r := range b.together("create --name c busybox true", "create --name c busybox true", "create --name c busybox true") {
			if r.ok() {
				won++
				continue
			}
			b.says(r, "is taken by container")
		}
		if got := b.must("ps -aq"); won != 1 || len(strings.Fields(got)) != 1 {
			b.t.Errorf("%d creates won, and there are: %s", won, got)
		}
		b.must("rm c")
	}
	b.end()
}

// eightByFifty is eight users of fifty commands each. None waits for another for ever, and none fails.
func eightByFifty(b *box) {
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			name := "c" + itoa(i)
			for range 10 {
				for _, line := range []string{"create --name " + name + " busybox sleep 1000", "start " + name, "ps -a", "stop -t0 " + name, "rm " + name} {
					if r := b.do(line); !r.ok() {
						b.t.Errorf("%s", r)
					}
				}
			}
		})
	}
	g.Wait()
	b.end()
}

// twentyFirst is the first command of a login, twenty times at once: one pause process is made, and all find it.
func twentyFirst(b *box) {
	lines := make([]string, 20)
	for i := range lines {
		lines[i] = "images -q"
	}
	for _, r := range b.together(lines...) {
		if !r.ok() {
			b.t.Errorf("%s", r)
		}
	}
	pauses := 0
	for _, command := range b.Processes() {
		if strings.HasPrefix(command, pauseName) {
			pauses++
		}
	}
	if pauses != 1 {
		b.t.Errorf("%d pause processes: %v", pauses, b.Processes())
	}
	b.end()
}
