package network

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// forever is a --time in seconds that no container outlives.
const forever = 1 << 31

// NewRm makes hull network rm.
func NewRm(d Deps) *cobra.Command {
	var o define.NetworkRemoveOptions
	var seconds int
	cmd := &cobra.Command{
		Use: "rm [options] NETWORK [NETWORK...]", Aliases: []string{"remove"}, Short: "Remove networks",
		Long: "Removes networks that no container is on, with --force also those and their containers. The exit code is 1 when a network is\n" +
			"not there and 2 when one is in use.",
		Example: "  hull network rm backend\n  hull network rm --force --time 0 backend",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("time") {
			if !o.Force {
				return errs.Invalid("--force option must be specified to use the --time option")
			}
			t := uint(forever)
			if seconds >= 0 {
				t = uint(seconds)
			}
			o.Timeout = &t
		}
		e, err := d.Engine(cmd.Context())
		if err != nil {
			return err
		}
		return d.remove(cmd.Context(), e, args, o)
	}
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "Remove any containers using network")
	cmd.Flags().IntVarP(&seconds, "time", "t", 10, "Seconds to wait for running containers to stop before killing the container")
	return cmd
}

// remove removes each and prints those that are gone.
func (d Deps) remove(ctx context.Context, e Engine, refs []string, o define.NetworkRemoveOptions) error {
	var failed []error
	for _, ref := range refs {
		err := e.Remove(ctx, ref, o)
		switch {
		case err == nil:
			_, err = fmt.Fprintln(d.Streams.Out, ref)
		case o.Force && errs.IsNotFound(err):
			continue
		case errs.IsNotFound(err):
			err = errs.WithExit(err, 1)
		case errs.IsConflict(err):
			err = errs.WithExit(err, 2)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// NewPrune makes hull network prune.
func NewPrune(d Deps) *cobra.Command {
	var filters []string
	var force bool
	cmd := &cobra.Command{
		Use: "prune [options]", Short: "Prune unused networks",
		Long:    "Removes the networks that no container is on, but the default one. It asks before, and prints the names of those that are gone.",
		Example: "  hull network prune\n  hull network prune --force --filter until=24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errs.Invalid("`hull network prune` takes no arguments")
			}
			if !force {
				if yes, err := d.Streams.Confirm("WARNING! This will remove all networks not used by at least one container."); !yes || err != nil {
					return err
				}
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			gone, failed := e.Prune(cmd.Context(), filters)
			for _, name := range gone {
				if _, err := fmt.Fprintln(d.Streams.Out, name); err != nil {
					failed = append(failed, err)
				}
			}
			return errors.Join(failed...)
		},
	}
	lists.Var(cmd.Flags(), &filters, "filter", "", "Provide filter values (e.g. 'label=<key>=<value>')")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}
