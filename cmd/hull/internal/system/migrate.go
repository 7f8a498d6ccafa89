package system

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
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
			stopped, err := e.System.Migrate(cmd.Context())
			for _, id := range stopped {
				_, failed := fmt.Fprintln(d.Streams.Out, "stopped", id)
				err = errors.Join(err, failed)
			}
			return err
		},
	}
}
