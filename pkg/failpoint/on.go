//go:build failpoint

// Package failpoint marks the steps between which a process may die. A normal build holds no trace of it; one with
// -tags failpoint logs each point to $HULL_FAILPOINT_LOG and kills itself, as kill -9 does, at $HULL_FAILPOINT.
//
// A helper that outlives the command which started it is told by a file, which $HULL_FAILPOINT_HELPERS names: the log on
// its first line, and the point on its second. The first helper that comes to the point takes the file away.
package failpoint

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// The variables. That of a helper is another than that of its starter, so that a command is not told by the file too.
const (
	logVariable     = "HULL_FAILPOINT_LOG"
	pointVariable   = "HULL_FAILPOINT"
	helpersVariable = "HULL_FAILPOINT_HELPERS"
	fileVariable    = "HULL_FAILPOINT_FILE"
)

// Hit marks a point. Its name is "act/step", unique in the program.
func Hit(name string) {
	log, point, file := os.Getenv(logVariable), os.Getenv(pointVariable), os.Getenv(fileVariable)
	if data, err := os.ReadFile(file); err == nil {
		log, point, _ = strings.Cut(strings.TrimSpace(string(data)), "\n")
	}
	if log != "" {
		if f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
			_, _ = f.WriteString(name + "\n")
			_ = f.Close()
		}
	}
	if point != name {
		return
	}
	if file != "" {
		_ = os.Remove(file)
	}
	_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
	select {} // the signal is on its way
}

// Environ is what a helper has to have in its environment to come to points.
func Environ() []string {
	for _, name := range []string{helpersVariable, fileVariable} { // of a command, and of a helper itself
		if file := os.Getenv(name); file != "" {
			return []string{fileVariable + "=" + file}
		}
	}
	return nil
}

// Files are those that a process which gives files up has to keep to come to points. They are made if need be.
func Files() []string {
	log := os.Getenv(logVariable)
	if log == "" {
		return nil
	}
	if f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
		_ = f.Close()
	}
	return []string{log}
}
