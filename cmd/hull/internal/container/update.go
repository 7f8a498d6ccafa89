package container

import (
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/pkg/errs"
)

// NewUpdate makes "hull update".
func NewUpdate(d Deps) *cobra.Command {
	var publish, unpublish []string
	cmd := &cobra.Command{
		Use: "update [options] CONTAINER", Short: "Change the published ports of a container, which may run",
		Example: "  hull update --publish 8080:80 web\n  hull update --publish 9443:443 --unpublish 8443 web",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(publish)+len(unpublish) == 0 {
			return errs.WithHint(errs.Invalid("there is nothing to change"), "say --publish or --unpublish")
		}
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		return each(d, args, func(ref string) error { return e.Connections.Publish(ctx, ref, publish, unpublish) })
	}
	fs := cmd.Flags()
	lists.CommaVar(fs, &publish, "publish", "p", "Publish a container's port, or a range of ports, to the host")
	lists.CommaVar(fs, &unpublish, "unpublish", "", "Close a published port of the host, PORT[-PORT][/udp]")
	return cmd
}
