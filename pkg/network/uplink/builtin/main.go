package builtin

import (
	"context"
	"errors"
	"os"
	"slices"

	"hull.dev/hull/pkg/network/uplink"
)

// ready is the descriptor that tells uplink.Start that all is there: a byte is written.
const ready = 3

// Main is "hull-net uplink PATH [loopback]", which uplink.Start runs.
func Main(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("hull-net uplink: the path of a network namespace is missing; hull-net itself starts it")
	}
	return Run(ctx, Options{Path: args[0], Loopback: slices.Contains(args[1:], uplink.Loopback), Ready: func() error {
		f := os.NewFile(ready, "ready")
		if _, err := f.Write([]byte{1}); err != nil {
			return err
		}
		return f.Close()
	}})
}
