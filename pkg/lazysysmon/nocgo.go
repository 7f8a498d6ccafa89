//go:build !cgo

package lazysysmon

func init() { lengthen() } //nolint:gochecknoinits // what the package is imported for
