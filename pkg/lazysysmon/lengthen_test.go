package lazysysmon

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestLengthen(t *testing.T) {
	path := slackOfSysmon()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Skip("it takes CAP_SYS_NICE:", err)
	}
	defer os.WriteFile(path, before, 0) //nolint:errcheck // for the rest of the tests it is all one
	lengthen()
	after, err := os.ReadFile(path)
	if got := strings.TrimSpace(string(after)); err != nil || got != strconv.Itoa(slack) {
		t.Errorf("sysmon has %q (%v), want %d", got, err, slack)
	}
	own, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil || strings.TrimSpace(string(own)) == strconv.Itoa(slack) {
		t.Errorf("the program has it too: %q (%v)", own, err)
	}
}
