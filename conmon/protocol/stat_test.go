package protocol

import (
	"errors"
	"os"
	"testing"
)

func TestStat(t *testing.T) {
	state, start, err := Stat(os.Getpid())
	if err != nil || state != "R" && state != "S" || start == 0 {
		t.Errorf("this process: %q, %d, %v", state, start, err)
	}
	if _, again, _ := Stat(os.Getpid()); again != start {
		t.Errorf("it started at %d, and at %d", start, again)
	}
	if got := Parent(os.Getpid()); got != os.Getppid() {
		t.Errorf("parent %d, want %d", got, os.Getppid())
	}
	if got := Parent(1 << 30); got != 0 {
		t.Errorf("no process has the parent %d", got)
	}
	if _, _, err := Stat(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no process: %v", err)
	}
}
