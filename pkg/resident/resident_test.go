package resident

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// fileBacked is the kilobytes of files that are mapped and there (proc_pid_status(5)).
func fileBacked(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestShrinkGivesBack(t *testing.T) {
	const size = 64 << 20
	heap := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		heap[i] = 1
	}
	runtime.KeepAlive(heap)
	runtime.GC()
	files := fileBacked(t)
	Shrink()
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapSys-m.HeapReleased > size/2 {
		t.Errorf("%d bytes of the heap are kept", m.HeapSys-m.HeapReleased)
	}
	if left := fileBacked(t); left >= files {
		t.Errorf("of %d kB of files %d are mapped", files, left)
	}
}

// A mapping that was written to is not read from the file again.
func TestReadOnly(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-007f4000 r-xp 00000000 fe:00 10004332                           /usr/libexec/hull/hull-net": true,
		"007f4000-00cda000 r--p 003f4000 fe:00 10004332                           /usr/bin/name (deleted)":    true,
		"00cda000-00d18000 rw-p 008da000 fe:00 10004332                           /usr/libexec/hull/hull-net": false,
		"00d18000-02d5b000 rw-p 00000000 00:00 0":                                                             false,
		"7fff05b1c000-7fff05b20000 r--p 00000000 00:00 0                          [vvar]":                     false,
		"7f94b8600000-7f94ba600000 r--s 00000000 fe:00 7                          /shared":                    false,
	} {
		if from, to := readOnly([]byte(line)); (from < to) != want {
			t.Errorf("%s: %x to %x", line, from, to)
		}
	}
}
