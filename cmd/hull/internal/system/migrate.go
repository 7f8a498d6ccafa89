package system

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
)

// NewMigrate makes "hull system migrate".
func NewMigrate(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Stop all containers and make the user's namespaces anew",
		Long: "Stops the running containers and ends the process that keeps your user namespace. The next command makes a new one, with the ids\n" +
			"that /etc/subuid and /etc/subgid give you by then: a change of these files is not seen before. Containers stay as they are, and can be started.",
		Example: "hull system migrate",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			list, err := e.Containers.List(cmd.Context(), false)
			if err != nil {
				return err
			}
			ids := make([]string, len(list))
			for i, c := range list {
				ids[i] = c.Config.ID
			}
			failed := containers.Each(ids, func(id string) error {
				return e.Containers.Stop(cmd.Context(), id, define.StopOptions{Ignore: true})
			})
			for i, id := range ids {
				if failed[i] == nil {
					_, failed[i] = fmt.Fprintln(d.Streams.Out, "stopped", id)
				}
			}
			if err := errors.Join(failed...); err != nil {
				return err
			}
			return e.System.Migrate(cmd.Context())
		},
	}
}
