package system

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/libpod"
)

// NewReset makes "hull system reset".
func NewReset(d Deps) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "reset [options]", Short: "Reset hull storage back to default state",
		Long: "Kills and removes all containers, removes all images, networks and volumes and all of hull's own state. Containers and volumes\n" +
			"of other engines in the same storage stay, and so do the images that such a container is made from.",
		Example: "hull system reset\nhull system reset --force",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runReset(cmd.Context(), d, force) },
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}

func runReset(ctx context.Context, d Deps, force bool) error {
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	if !force {
		if yes, err := confirm(d, e); !yes || err != nil {
			return err
		}
	}
	return e.System.Reset(ctx)
}

// confirm asks; no answer is no.
func confirm(d Deps, e *libpod.Engine) (bool, error) {
	return d.Streams.Confirm(fmt.Sprintf(`WARNING! This will remove:
        - all containers
        - all images
        - all networks
        - all volumes
        - the state directory: %q
        - the runtime directory: %q`, e.Dirs.Static, e.Dirs.Volatile))
}
