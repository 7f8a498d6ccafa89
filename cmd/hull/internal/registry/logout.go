package registry

import (
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/libpod/registries"
	"hull.dev/hull/pkg/errs"
)

// NewLogout makes "hull logout".
func NewLogout(d Deps) *cobra.Command {
	var o registries.Options
	var all bool
	cmd := &cobra.Command{
		Use: "logout [options] [REGISTRY]", Short: "Log out of a container registry",
		Example: "  hull logout quay.io\n  hull logout --all",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return errs.Invalid("--all takes no arguments")
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			o.Registry = registryOf(args)
			out, err := e.Logout(cmd.Context(), o, all)
			if err != nil {
				return err
			}
			where := out.Registry
			if all {
				where = "all registries"
			}
			_, err = fmt.Fprintln(d.Streams.Out, "Removed login credentials for "+where)
			return err
		},
	}
	addFiles(cmd.Flags(), &o)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Forget the credentials of all registries")
	return cmd
}
