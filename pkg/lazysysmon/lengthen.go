package lazysysmon

import (
	"os"
	"strconv"
)

const slack = 5_000_000 // nanoseconds

// lengthen finds sysmon, which is the first thread that the Go runtime starts. It takes CAP_SYS_NICE, as the threads of a program
// may have privileges of their own, and changes nothing without.
func lengthen() {
	if of := slackOfSysmon(); of != "" {
		_ = os.WriteFile(of, []byte(strconv.Itoa(slack)), 0) //nolint:forbidigo // a file of /proc
	}
}

// slackOfSysmon is the path of its timer slack (proc(5)), or "".
func slackOfSysmon() string {
	tasks, err := os.Open("/proc/self/task") // in the order in which they were started
	if err != nil {
		return ""
	}
	defer tasks.Close()
	ids, err := tasks.Readdirnames(-1)
	if err != nil || len(ids) < 2 {
		return ""
	}
	return "/proc/" + ids[1] + "/timerslack_ns"
}
