//go:build failpoint

// Package failpoint marks the steps between which a process may die. A normal build holds no trace of it; one with
// -tags failpoint logs each point to $HULL_FAILPOINT_LOG and kills itself, as kill -9 does, at $HULL_FAILPOINT.
package failpoint

import (
	"os"

	"golang.org/x/sys/unix"
)

// Hit marks a point. Its name is "act/step", unique in the program.
func Hit(name string) {
	if path := os.Getenv("HULL_FAILPOINT_LOG"); path != "" {
		if f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
			_, _ = f.WriteString(name + "\n")
			_ = f.Close()
		}
	}
	if os.Getenv("HULL_FAILPOINT") == name {
		_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
		select {} // the signal is on its way
	}
}
