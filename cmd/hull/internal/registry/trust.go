package registry

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/pkg/transfer"
)

// NewTrustSet makes "hull image trust set".
func NewTrustSet(d Deps) *cobra.Command {
	var t transfer.Trust
	cmd := &cobra.Command{
		Use: "set [options] REGISTRY", Short: "Set default trust policy or a new trust policy for a registry",
		Long: "Says in policy.json what is wanted of the images of a registry, of a part of one as quay.io/team, or with the word default\n" +
			"of all others: that they are accepted, rejected, or signed by keys. A user changes the file of the user's, which is begun\n" +
			"with what the machine's says; root changes /etc/containers/policy.json. With several keys all of them have to have signed.",
		Example: "  hull image trust set --type reject default\n  hull image trust set --type accept docker.io/library\n" +
			"  hull image trust set --pubkeysfile release.gpg quay.io/team",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			t.Scope = args[0]
			return e.SetTrust(cmd.Context(), t)
		},
	}
	lists.Var(cmd.Flags(), &t.Keys, "pubkeysfile", "f", "Path of installed public key(s) to trust for REGISTRY; several are all wanted")
	cmd.Flags().StringVarP(&t.Type, "type", "t", "signedBy", "Trust type, accept values: signedBy(default), sigstoreSigned, accept, reject")
	return cmd
}

// NewTrustShow makes "hull image trust show".
func NewTrustShow(d Deps) *cobra.Command {
	var asJSON, noHeading, raw bool
	cmd := &cobra.Command{
		Use: "show [options] [REGISTRY]", Short: "Display trust policy for the system",
		Long: "Shows what policy.json wants of images, and where registries.d says that their signatures are. With a registry, what is said\n" +
			"of it and of its parts, and what holds for all others.",
		Example: "  hull image trust show\n  hull image trust show --json quay.io",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := d.trust(cmd.Context(), registryOf(args))
			switch {
			case err != nil:
				return err
			case raw:
				_, err = fmt.Fprintln(d.Streams.Out, report.Raw)
				return err
			case asJSON:
				return format.JSON(d.Streams.Out, report.Entries, "  ")
			}
			rows := make([]trustRow, 0, len(report.Entries))
			for _, e := range report.Entries {
				rows = append(rows, trustRow{e.Transport, e.RepoName, e.Type, e.GPGID, e.Store})
			}
			return format.List(d.Streams, rows, format.Listing{
				Default: "table {{.Transport}}\t{{.Name}}\t{{.Type}}\t{{.ID}}\t{{.Store}}", NoHeading: noHeading,
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&asJSON, "json", "j", false, "Output as json")
	f.BoolVarP(&noHeading, "noheading", "n", false, "Do not print column headings")
	f.BoolVar(&raw, "raw", false, "Output raw policy file")
	return cmd
}

// trustRow is a line of the table.
type trustRow struct{ Transport, Name, Type, ID, Store string }

func (d Deps) trust(ctx context.Context, scope string) (transfer.TrustReport, error) {
	e, err := d.Engine(ctx)
	if err != nil {
		return transfer.TrustReport{}, err
	}
	return e.Trust(ctx, scope)
}
