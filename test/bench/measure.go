package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hull.dev/hull/test/env"
)

// The numbers of repetitions: of the paired runs, and of those where a hundred containers come and go.
var pairs, rounds = 12, 3

// measurement is a run of the program.
type measurement struct {
	*bench
	hull, podman *engine
	table
}

// removeAll is how both are emptied.
const removeAll = "rm -fa -t0"

func measure(t *bench, base string) {
	if strings.Contains(os.Getenv("BENCH"), "quick") {
		pairs, rounds, layerSize, archiveSize, large = 3, 1, 4<<20, 4<<20, false
	}
	m := &measurement{bench: t}
	for _, name := range []string{"hull", "podman"} {
		e := &engine{name: name, box: env.NewSandbox(t), t: t}
		t.Cleanup(func() { e.box.End(t) })
		if name == "hull" {
			m.hull = e
		} else {
			m.podman = e
			t.Cleanup(func() { e.do(removeAll) })
		}
		e.do("import " + env.Busybox(base, env.Profile{}) + " busybox")
	}
	started := time.Now()
	fmt.Printf("%s, %s; kernel %s; load at the start %s; pairs %d, rounds of 100 containers %d\n\n", m.hull.output("--version"),
		m.podman.output("--version"), line("/proc/sys/kernel/osrelease"), line("/proc/loadavg"), pairs, rounds)
	parts := []func(){m.alone, m.bare, m.hundred, m.thousand, m.networks, m.images}
	switch {
	case strings.Contains(os.Getenv("BENCH"), "images"):
		parts = []func(){m.images}
	case strings.Contains(os.Getenv("BENCH"), "containers"):
		parts = []func(){m.alone, m.bare, m.hundred, m.thousand}
	case strings.Contains(os.Getenv("BENCH"), "networks"):
		parts = []func(){m.networks}
	}
	for _, part := range parts {
		part()
		if err := m.write(os.Stdout); err != nil { // of each part, so that a run that is cut short was not for nothing
			t.Fatal(err)
		}
		m.table = table{}
	}
	fmt.Printf("\n%.0f s; load at the end %s\n", time.Since(started).Seconds(), line("/proc/loadavg"))
}

func line(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}

// pair times a command line of both in turn, after one turn to warm up. Between the turns, after is run, untimed.
func (m *measurement) pair(what string, limit float64, line, after string) {
	m.times(pairs, what, limit, line, after)
}

// times is pair with so many turns.
func (m *measurement) times(n int, what string, limit float64, line, after string) {
	m.Logf("%s", what)
	r := row{what: what, limit: limit}
	stay := m.clients()
	for i := range n + 1 {
		took := map[*engine]time.Duration{}
		for _, e := range []*engine{m.hull, m.podman} {
			took[e] = e.time(line)
			m.settle(stay)
		}
		if i > 0 {
			r.ours, r.theirs = append(r.ours, took[m.hull]), append(r.theirs, took[m.podman])
		}
		if after != "" {
			m.both(after)
			m.settle(stay)
		}
	}
	m.rows = append(m.rows, r)
}

// clients are the processes of both engines that are neither a monitor nor a container's.
func (m *measurement) clients() map[int]bool {
	found := map[int]bool{}
	for _, e := range []*engine{m.hull, m.podman} {
		for pid, command := range e.box.Processes() {
			program, _, _ := strings.Cut(command, " ")
			if filepath.Base(program) == e.name {
				found[pid] = true
			}
		}
	}
	return found
}

// settle waits until what a command has left to do behind its caller's back is done: podman's clean-up after an exec above all,
// and the files that hull leaves to its monitors. It would be timed with the other's next turn. What stays is what was there before.
func (m *measurement) settle(stay map[int]bool) {
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
		now := m.clients()
		maps.DeleteFunc(now, func(pid int, _ bool) bool { return stay[pid] })
		discarded, _ := filepath.Glob(filepath.Join(m.hull.box.Dir, "data/containers/storage/hull/layers/gone/*")) // the pattern is good
		if len(now)+len(discarded) == 0 {
			return
		}
	}
}

func (m *measurement) both(line string) {
	m.hull.do(line)
	m.podman.do(line)
}

// sleeper is the command that containers run which are to stay.
const sleeper = "--network=none busybox sleep 10000"

// alone are the figures with nothing else running.
func (m *measurement) alone() {
	m.pair("version", 0.18, "version", "")
	m.pair("ps, empty", 0.25, "ps", "")
	m.pair("run --rm", 0.20, "run --rm --network=none busybox true", "")
	m.pair("run -d", 0.25, "run -d "+sleeper, removeAll)
	m.both("run -d --name one " + sleeper)
	m.pair("exec", 0.20, "exec one true", "")
	m.facts = append(m.facts, m.monitors(" of one container", 0, 0)...)
	m.both(removeAll)
}

// hundred are the figures of a hundred containers that start, run and go.
func (m *measurement) hundred() {
	start := row{what: "100 × run -d, 8 at a time", limit: 0.20}
	remove := row{what: "rm -f -t0 of 100 running", limit: 0.10}
	before := m.idle()
	for _, e := range m.engines() {
		e.box.NoKeyrings(m)
	}
	for i := range rounds {
		m.Logf("100 containers, round %d of %d", i+1, rounds)
		start.ours = append(start.ours, m.hull.many(100, "run -d --name c%d "+sleeper))
		start.theirs = append(start.theirs, m.podman.many(100, "run -d --name c%d "+sleeper))
		if i == 0 {
			m.pair("ps, 100 running", 0.10, "ps", "")
			m.pair("inspect one of 100 running", 0.20, "inspect c50", "")
			m.facts = append(m.facts, m.monitors(" of each of 100", 0.7, 3)...)
			processes := float64(len(m.hull.box.Processes())-before) / 100
			m.facts = append(m.facts, fact{what: "processes of hull for each container", ours: processes, limit: 1})
		}
		remove.ours = append(remove.ours, m.hull.time(removeAll))
		remove.theirs = append(remove.theirs, m.podman.time(removeAll))
	}
	m.rows = append(m.rows, start, remove)
}

// idle is the number of hull's processes when no container runs: what is on its way out is waited for.
func (m *measurement) idle() int {
	n := len(m.hull.box.Processes())
	for deadline := time.Now().Add(3 * time.Second); n > 1 && time.Now().Before(deadline); n = len(m.hull.box.Processes()) {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // polls, until a deadline
	}
	return n
}

// thousand compares hull with itself: ps -a of a thousand stopped containers with that of ten.
func (m *measurement) thousand() {
	m.Logf("1,000 stopped containers")
	r := row{what: "ps -a, 1,000 stopped", versus: "hull with 10:", limit: 3}
	fill := func(n int) {
		m.hull.many(n, "run -d --network=none busybox true")
		m.hull.many(1, "wait -l")
	}
	fill(10)
	few := make([]time.Duration, 0, pairs)
	m.hull.do("ps -a")
	for range pairs {
		few = append(few, m.hull.time("ps -a"))
	}
	fill(990)
	m.hull.do("ps -a")
	for range pairs {
		r.ours = append(r.ours, m.hull.time("ps -a"))
	}
	if n := len(strings.Fields(m.hull.output("ps", "-aq", "--filter", "status=exited"))); n != 1000 {
		m.Fatalf("%d containers are stopped, not 1000", n)
	}
	r.theirs = few
	m.rows = append(m.rows, r)
	m.hull.do(removeAll)
}
