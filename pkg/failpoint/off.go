//go:build !failpoint

// Package failpoint marks the steps between which a process may die. A normal build holds no trace of it; one with
// -tags failpoint logs each point to $HULL_FAILPOINT_LOG and kills itself, as kill -9 does, at $HULL_FAILPOINT.
//
// A helper that outlives the command which started it is told by a file, which $HULL_FAILPOINT_HELPERS names: the log on
// its first line, and the point on its second. The first helper that comes to the point takes the file away.
package failpoint

// Hit marks a point. Its name is "act/step", unique in the program.
func Hit(string) {}

// Environ is what a helper has to have in its environment to come to points.
func Environ() []string { return nil }

// Files are those that a process which gives files up has to keep to come to points.
func Files() []string { return nil }
