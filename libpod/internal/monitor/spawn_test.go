package monitor

import (
	"testing"
	"time"
)

func TestAnIdleMonitorEndsWhenItIsClosed(t *testing.T) {
	s := &Starter{Path: conmon, Debug: true}
	s.Spawn(Files{}).Close(t.Context())
	deadline := time.Now().Add(10 * time.Second)
	for s.reap(); len(s.children) > 0; s.reap() {
		if time.Now().After(deadline) {
			t.Fatalf("monitor %d still waits for a request that does not come", s.children[0])
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // polls, until a deadline
	}
}
