// Package resident gives back what memory a process has and does not need while it waits. It is for programs that are up for
// days, and idle for most of them.
package resident

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// After returns a function that is to be called whenever something has been done: when it has not been called for the time
// of quiet, Shrink is.
func After(quiet time.Duration) (done func()) {
	timer := time.AfterFunc(quiet, Shrink)
	return func() { timer.Reset(quiet) }
}

// Shrink gives back free memory of the heap, and the pages of the program's own file. Each of these that is touched again is
// mapped again, from the kernel's cache of the file: what a start alone needs is counted for the process no more.
func Shrink() {
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	if stats.NumGC > 0 { // else the heap has not grown yet, and a first collection takes more memory than it frees
		runtime.GC() // what a sync.Pool holds goes at the second
		debug.FreeOSMemory()
	}
	// What is touched from here on is mapped again at once, with what lies around it: so the mappings are found before, and what comes
	// after the last one is no more than falling asleep.
	for _, m := range unwritten() {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // a no costs nothing
	}
}

// mapping is where a file is mapped.
type mapping struct{ from, to uintptr }

// unwritten are the mappings of files whose pages are as in the file.
func unwritten() []mapping {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []mapping
	var m mapping
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Bytes()
		switch {
		case bytes.HasPrefix(line, []byte("Anonymous:")):
			if bytes.HasSuffix(line, []byte(" 0 kB")) && m.from < m.to {
				all = append(all, m)
			}
		case bytes.IndexByte(line, '-') > 0:
			m.from, m.to = readOnly(line)
		}
	}
	return all
}

// readOnly returns where a mapping of smaps (proc_pid_smaps(5)) lies if it is one of a file that nobody writes to, else
// nothing. Pages of it that were written to before are anonymous; such a mapping is left alone.
func readOnly(line []byte) (from, to uintptr) {
	// ADDRESS-ADDRESS PERMISSIONS OFFSET DEVICE INODE PATH
	fields := bytes.Fields(line)
	if len(fields) < 6 || string(fields[4]) == "0" || string(fields[1]) != "r-xp" && string(fields[1]) != "r--p" {
		return 0, 0
	}
	first, last, _ := strings.Cut(string(fields[0]), "-")
	a, err := strconv.ParseUint(first, 16, 64)
	if err != nil {
		return 0, 0
	}
	b, err := strconv.ParseUint(last, 16, 64)
	if err != nil {
		return 0, 0
	}
	return uintptr(a), uintptr(b)
}
