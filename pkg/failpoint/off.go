//go:build !failpoint

// Package failpoint marks the steps between which a process may die. A normal build holds no trace of it; one with
// -tags failpoint logs each point to $HULL_FAILPOINT_LOG and kills itself, as kill -9 does, at $HULL_FAILPOINT.
package failpoint

// Hit marks a point. Its name is "act/step", unique in the program.
func Hit(string) {}
