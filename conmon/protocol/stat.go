package protocol

import (
	"errors"
	"strconv"
	"strings"
)

// Stat is what /proc/PID/stat (proc(5)) tells of a process: its state, field 3, and when it started, field 22, in clock ticks after
// boot: no later process with its pid has the same. The name in field 2 may hold anything but ends at the last parenthesis.
func Stat(pid int) (state string, start uint64, err error) {
	data, err := ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0, err
	}
	text := string(data)
	n := 1 // of the field before
	for field := range strings.FieldsSeq(text[max(0, strings.LastIndexByte(text, ')')):]) {
		switch n++; n {
		case 3:
			state = field
		case 22:
			start, err = strconv.ParseUint(field, 10, 64)
			return state, start, err
		}
	}
	return "", 0, errors.New("the process' status ends early")
}
