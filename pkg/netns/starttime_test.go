package netns

import (
	"os"
	"testing"
)

func TestStartTime(t *testing.T) {
	if StartTime(os.Getpid()) == 0 {
		t.Error("this process has no start time")
	}
	if StartTime(1<<30) != 0 {
		t.Error("a pid that cannot be has a start time")
	}
}
