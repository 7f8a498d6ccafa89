package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// NewPrune makes hull image prune.
func NewPrune(d Deps) *cobra.Command {
	var o define.ImagePruneOptions
	var force bool
	cmd := &cobra.Command{
		Use: "prune [options]", Short: "Remove unused images",
		Long: "Removes images that have no name and that nothing is made from; with --all every image that no container uses. It asks before.\n" +
			"The ids of those that are gone are printed.",
		Example: "  hull image prune\n  hull image prune --all --force --filter until=72h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errs.Invalid("`hull image prune` takes no arguments")
			}
			if !force {
				warning := "WARNING! This command removes all dangling images."
				if o.All {
					warning = "WARNING! This command removes all images without at least one container associated with them."
				}
				if yes, err := d.Streams.Confirm(warning); !yes || err != nil {
					return err
				}
			}
			return d.do(cmd.Context(), func(e Engine) error { return d.prune(cmd.Context(), e, o) })
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.All, "all", "a", false, "Remove all images not in use by containers, not just dangling ones")
	f.BoolVar(&o.External, "external", false, "Remove images even when they are used by external containers (e.g., by build containers)")
	lists.Var(f, &o.Filters, "filter", "", "Provide filter values (e.g. 'label=<key>=<value>')")
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}

func (d Deps) prune(ctx context.Context, e Engine, o define.ImagePruneOptions) error {
	reports, failed := e.Prune(ctx, o)
	for _, r := range reports {
		if _, err := fmt.Fprintln(d.Streams.Out, r.ID); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
