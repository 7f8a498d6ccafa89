// Package system is the commands on the engine as a whole, one file per verb.
package system

import (
	"context"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// Deps is what the commands are made with.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (*libpod.Engine, error) // opens on first call; enters the user's namespaces
	Reader  func(context.Context) (*libpod.Engine, error) // the same, outside of the namespaces
	Version func() define.EngineVersion                   // what "hull version" says
}

// noArguments refuses arguments in the words of the other commands.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errs.Invalid("%s takes no arguments, and not %q", cmd.CommandPath(), args[0])
	}
	return nil
}
