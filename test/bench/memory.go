package main

import (
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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
	var counted []int
	for pid := range processes {
		if _, ok := known[pid]; ok || slices.ContainsFunc(counted, func(other int) bool { return sameMemory(pid, other) }) {
			continue
		}
		counted = append(counted, pid)
		data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup") // it may have ended
		_, after, _ := strings.Cut(string(data), "\nPss:")
		if f := strings.Fields(after); len(f) > 0 {
			kilobytes, _ := strconv.ParseFloat(f[0], 64)
			total += kilobytes / 1024
		}
	}
	return math.Round(total*10) / 10
}

// sameMemory reports whether two processes have one memory: the one is about to execute a program for the other (vfork(2)).
func sameMemory(a, b int) bool {
	const vm = 1 // KCMP_VM of kcmp(2)
	order, _, failed := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), vm, 0, 0, 0)
	return failed == 0 && order == 0
}
