package system

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// exitFound is the exit code of a check that has found something.
const exitFound = 1

// NewCheck makes "hull system check".
func NewCheck(d Deps) *cobra.Command {
	var o define.CheckOptions
	var repair bool
	cmd := &cobra.Command{
		Use: "check [options]", Short: "Perform consistency checks on containers, volumes and image storage",
		Long: "Looks for what rows and things do not agree on: commands that were killed half way, mounts, processes, folders and\n" +
			"layers that belong to no container, and damage in the image storage. Nothing is printed and the exit code is 0 when\n" +
			"all is well; else each finding is a line and the exit code is 1. Containers that another command works on are left out.",
		Example: "hull system check\nhull system check --quick\nhull system check --repair\nhull system check --repair --force",
		Args:    noArguments,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Force && !repair {
			return errs.Invalid("--force is for --repair")
		}
		return runCheck(cmd.Context(), d, o, repair)
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.Force, "force", "f", false, "Remove damaged containers and the damaged images they are made from, and stop containers that nobody watches")
	fs.DurationVarP(&o.MaxAge, "max", "m", 24*time.Hour, "Maximum allowed age of layers that nothing uses")
	fs.BoolVarP(&o.Quick, "quick", "q", false, "Skip time-consuming checks")
	fs.BoolVarP(&repair, "repair", "r", false, "Put right what is found and remove damaged images")
	return cmd
}

func runCheck(ctx context.Context, d Deps, o define.CheckOptions, repair bool) error {
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	found, err := e.System.Check(ctx, o)
	if err != nil {
		return err
	}
	left := found
	var failed error
	if repair && len(found) > 0 {
		left, failed = e.System.Repair(ctx, found, o)
		for _, f := range found {
			if !slices.Contains(left, f) {
				if _, err := fmt.Fprintln(d.Streams.Out, "repaired: "+f.Text); err != nil {
					failed = errors.Join(failed, err)
				}
			}
		}
	}
	for _, f := range left {
		if _, err := fmt.Fprintln(d.Streams.Out, f.Text); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil && len(left) > 0 {
		failed = errs.WithExit(nil, exitFound)
	}
	return errors.Join(failed)
}
