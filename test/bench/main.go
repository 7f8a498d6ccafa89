// Bench measures hull against podman in one run: each figure is the median of paired runs, taken in turn, as the same
// ordinary user in the same private view of the machine, on stores with the same image. It prints a table and judges
// nothing. It is started as an ordinary user whose store may be used, in a view with one cgroup hierarchy, with hull and
// podman in PATH and HULL_TEST_BUSYBOX naming a root file system archive.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	if err := measure(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// row is a figure: the median of hull's time over podman's, and the most it may be.
type row struct {
	what         string
	hull, podman []time.Duration
	limit        float64
}

const pairs = 12

// pair times two commands in turn.
func pair(what string, limit float64, hull, podman func() error) (row, error) {
	r := row{what: what, limit: limit}
	for i := range pairs + 1 {
		h, err := timed(hull)
		if err != nil {
			return r, fmt.Errorf("%s: hull: %w", what, err)
		}
		p, err := timed(podman)
		if err != nil {
			return r, fmt.Errorf("%s: podman: %w", what, err)
		}
		if i > 0 { // the first pair warms up
			r.hull, r.podman = append(r.hull, h), append(r.podman, p)
		}
	}
	return r, nil
}

func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// cmd runs a command line of words without white space in them.
func cmd(line string) func() error {
	return func() error { return run(strings.Fields(line)...) }
}

func run(words ...string) error {
	c := exec.Command(words[0], words[1:]...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func measure(w io.Writer) error {
	for _, engine := range []string{"hull", "podman"} {
		if err := run(engine, "import", "--change", `CMD ["/bin/sh"]`, os.Getenv("HULL_TEST_BUSYBOX"), "busybox"); err != nil {
			return err
		}
		if err := run(engine, "run", "--rm", "--network=none", "busybox", "true"); err != nil {
			return err
		}
	}
	var rows []row
	for _, part := range []func() ([]row, error){single, hundred, concurrent} {
		more, err := part()
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "what\thull\tpodman\tratio\tat most")
	for _, r := range rows {
		h, p := median(r.hull), median(r.podman)
		fmt.Fprintf(tab, "%s\t%.1f ms\t%.1f ms\t%.3f\t%.2f\n", r.what, ms(h), ms(p), float64(h)/float64(p), r.limit)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	return memory(w)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// single are the figures on a machine with nothing else running.
func single() (rows []row, err error) {
	add := func(what string, limit float64, hull, podman func() error) {
		if err == nil {
			var r row
			r, err = pair(what, limit, hull, podman)
			rows = append(rows, r)
		}
	}
	add("version", 0.18, cmd("hull version"), cmd("podman version"))
	add("ps, empty", 0.25, cmd("hull ps"), cmd("podman ps"))
	add("run --rm", 0.20, cmd("hull run --rm --network=none busybox true"), cmd("podman run --rm --network=none busybox true"))
	add("run -d", 0.25, cmd("hull run -d --network=none busybox sleep 1000"), cmd("podman run -d --network=none busybox sleep 1000"))
	if err != nil {
		return rows, err
	}
	for _, engine := range []string{"hull", "podman"} {
		if err := run(engine, "rm", "-fa", "-t0"); err != nil {
			return rows, err
		}
		if err := run(engine, "run", "-d", "--name", "one", "--network=none", "busybox", "sleep", "1000"); err != nil {
			return rows, err
		}
	}
	add("exec", 0.20, cmd("hull exec one true"), cmd("podman exec one true"))
	for _, engine := range []string{"hull", "podman"} {
		if err := run(engine, "rm", "-fa", "-t0"); err != nil {
			return rows, err
		}
	}
	return rows, err
}

// hundred are the figures with a hundred containers running, and of their removal.
func hundred() (rows []row, err error) {
	for i := range 100 {
		for _, engine := range []string{"hull", "podman"} {
			if err := run(engine, "run", "-d", "--name", "c"+strconv.Itoa(i), "--network=none", "busybox", "sleep", "1000"); err != nil {
				return nil, err
			}
		}
	}
	ps, err := pair("ps, 100 running", 0.10, cmd("hull ps"), cmd("podman ps"))
	if err != nil {
		return nil, err
	}
	inspect, err := pair("inspect one of 100", 0.20, cmd("hull inspect c50"), cmd("podman inspect c50"))
	if err != nil {
		return nil, err
	}
	rm := row{what: "rm -f -t0 of 100 running", limit: 0.10}
	for _, side := range []struct {
		engine string
		to     *[]time.Duration
	}{{"hull", &rm.hull}, {"podman", &rm.podman}} {
		d, err := timed(cmd(side.engine + " rm -fa -t0"))
		if err != nil {
			return nil, err
		}
		*side.to = append(*side.to, d)
	}
	return []row{ps, inspect, rm}, nil
}

// concurrent is a hundred starts, eight at a time.
func concurrent() ([]row, error) {
	r := row{what: "100 x run -d, 8 at a time", limit: 0.20}
	for _, side := range []struct {
		engine string
		to     *[]time.Duration
	}{{"hull", &r.hull}, {"podman", &r.podman}} {
		start := time.Now()
		if err := eight(side.engine); err != nil {
			return nil, err
		}
		*side.to = append(*side.to, time.Since(start))
		if err := run(side.engine, "rm", "-fa", "-t0"); err != nil {
			return nil, err
		}
	}
	return []row{r}, nil
}

func eight(engine string) error {
	next := make(chan int)
	failed := make(chan error, 8)
	for range 8 {
		go func() {
			var err error
			for range next {
				if e := run(engine, "run", "-d", "--network=none", "busybox", "sleep", "1000"); e != nil {
					err = e
				}
			}
			failed <- err
		}()
	}
	for i := range 100 {
		next <- i
	}
	close(next)
	for range 8 {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// memory prints what a monitor costs.
func memory(w io.Writer) error {
	if err := run("hull", "run", "-d", "--name", "m", "--network=none", "busybox", "sleep", "1000"); err != nil {
		return err
	}
	out, err := exec.Command("hull", "inspect", "--format", "{{.State.ConmonPid}}", "m").Output()
	if err != nil {
		return err
	}
	data, err := os.ReadFile("/proc/" + strings.TrimSpace(string(out)) + "/smaps_rollup")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "Rss:") || strings.HasPrefix(line, "Pss:") {
			fmt.Fprint(w, "monitor ", line)
		}
	}
	return run("hull", "rm", "-f", "-t0", "m")
}
