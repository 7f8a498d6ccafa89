package protocol

import (
	"errors"
	"strconv"
	"strings"
)

// Stat is what /proc/PID/stat (proc(5)) tells of a process: its state, field 3, and when it started, field 22, in clock ticks after
// boot: no later process with its pid has the same.
func Stat(pid int) (state string, start uint64, err error) {
	fields, err := statFields(pid)
	if err != nil {
		return "", 0, err
	}
	start, err = strconv.ParseUint(fields[22], 10, 64)
	return fields[3], start, err
}

// Parent is the pid of a process' parent, field 4, or 0 where there is no such process.
func Parent(pid int) int {
	fields, err := statFields(pid)
	if err != nil {
		return 0
	}
	parent, _ := strconv.Atoi(fields[4])
	return parent
}

// statFields are the fields from the third on, in the places that their numbers are. The name, the second, may hold anything but
// ends at the last parenthesis.
func statFields(pid int) (fields [23]string, err error) {
	data, err := ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return fields, err
	}
	text := string(data)
	n := 1 // of the field before
	for field := range strings.FieldsSeq(text[max(0, strings.LastIndexByte(text, ')')):]) {
		if n++; n == len(fields) {
			return fields, nil
		}
		fields[n] = field
	}
	if n == len(fields)-1 {
		return fields, nil
	}
	return fields, errors.New("the process' status ends early")
}
