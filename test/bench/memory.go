package main

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// monitors are the facts of what a monitor of each engine costs: the median of all that run.
func (m *measurement) monitors(of string, proportional, resident float64) []fact {
	pss := fact{what: "monitor's memory" + of + ", proportional", unit: " MB", limit: proportional}
	rss := fact{what: "monitor's memory" + of + ", resident", unit: " MB", limit: resident}
	pss.ours, rss.ours = m.hull.memory(m)
	pss.theirs, rss.theirs = m.podman.memory(m)
	return []fact{pss, rss}
}

// memory is the median of the monitors' proportional and resident memory in MB (proc_pid_smaps(5)).
func (e *engine) memory(m *measurement) (pss, rss float64) {
	ids := strings.Fields(e.output("ps", "-q"))
	pids := strings.Fields(e.output(append([]string{"inspect", "--format", "{{.State.ConmonPid}}"}, ids...)...))
	var proportional, resident []float64
	for _, pid := range pids {
		data, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			m.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) != 3 {
				continue
			}
			kilobytes, _ := strconv.ParseFloat(f[1], 64)
			switch f[0] {
			case "Pss:":
				proportional = append(proportional, kilobytes)
			case "Rss:":
				resident = append(resident, kilobytes)
			}
		}
	}
	megabytes := func(list []float64) float64 { return math.Round(median(list)/1024*100) / 100 }
	return megabytes(proportional), megabytes(resident)
}

// proportional is the proportional memory in MB of processes that are not among the known ones.
func proportional(processes, known map[int]string) float64 {
	total := 0.0
	for pid := range processes {
		if _, ok := known[pid]; ok {
			continue
		}
		data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup") // it may have ended
		_, after, _ := strings.Cut(string(data), "\nPss:")
		if f := strings.Fields(after); len(f) > 0 {
			kilobytes, _ := strconv.ParseFloat(f[0], 64)
			total += kilobytes / 1024
		}
	}
	return math.Round(total)
}
