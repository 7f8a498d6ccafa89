package network

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
)

// NewList makes hull network ls.
func NewList(d Deps) *cobra.Command {
	var filters []string
	var layout string
	var noTrunc, noHeading, quiet bool
	cmd := &cobra.Command{
		Use: "ls [options]", Aliases: []string{"list"}, Short: "List networks",
		Example: "  hull network ls\n  hull network ls --filter label=team --format '{{.Name}} {{.Driver}}'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := d.Reader(cmd.Context())
			if err != nil {
				return err
			}
			all, err := e.List(cmd.Context(), filters)
			if err != nil {
				return err
			}
			if format.IsJSON(layout) {
				return format.JSON(d.Streams.Out, all, format.IndentPs)
			}
			rows := make([]row, 0, len(all))
			for _, n := range all {
				if quiet {
					if _, err := fmt.Fprintln(d.Streams.Out, n.Name); err != nil {
						return err
					}
				}
				rows = append(rows, row{n, noTrunc})
			}
			if quiet {
				return nil
			}
			return format.List(d.Streams, rows, format.Listing{
				Format: layout, Default: "table {{.ID}}\t{{.Name}}\t{{.Driver}}", NoHeading: noHeading,
				Headers: map[string]string{"ID": "NETWORK ID"},
			})
		},
	}
	f := cmd.Flags()
	lists.Var(f, &filters, "filter", "f", "Provide filter values (e.g. 'name=backend')")
	f.StringVar(&layout, "format", "", "Pretty-print networks to JSON or using a Go template")
	f.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the network ID")
	f.BoolVarP(&noHeading, "noheading", "n", false, "Do not print headers")
	f.BoolVarP(&quiet, "quiet", "q", false, "Display only names")
	return cmd
}

// row is a line of hull network ls.
type row struct {
	define.Network
	noTrunc bool
}

// ID is the id, in short unless --no-trunc.
func (r row) ID() string {
	if r.noTrunc {
		return r.Network.ID
	}
	return r.Network.ID[:12]
}

// Labels are KEY=VALUE with commas between, sorted.
func (r row) Labels() string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(r.Network.Labels)) {
		list = append(list, key+"="+r.Network.Labels[key])
	}
	return strings.Join(list, ",")
}
