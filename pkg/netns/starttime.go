package netns

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// StartTime is field 22 of /proc/PID/stat (proc(5)), which tells a process from a later one with its pid; 0 when there is none.
func StartTime(pid int) uint64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(fields[19], 10, 64)
	return n
}
