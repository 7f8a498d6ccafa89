package image

import (
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
)

// NewDiff makes hull image diff.
func NewDiff(d Deps) *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use: "diff [options] IMAGE [IMAGE]", Short: "Inspect changes to the image's file systems",
		Long: "Prints the paths in which an image differs from the second one, or from what lies below its top layer: A for those that were\n" +
			"added, C for those that were changed, D for those that were deleted.",
		Example: "  hull image diff mine:2\n  hull image diff --format json mine:2 mine:1",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := CheckDiffFormat(layout); err != nil {
				return err
			}
			return d.do(cmd.Context(), func(e Engine) error {
				changes, err := e.Diff(cmd.Context(), args[0], append(args, "")[1])
				if err != nil {
					return err
				}
				return PrintChanges(d.Streams, changes, layout)
			})
		},
	}
	cmd.Flags().StringVar(&layout, "format", "", "Change the output format (json)")
	return cmd
}

// CheckDiffFormat refuses a --format that no diff has.
func CheckDiffFormat(layout string) error {
	if layout != "" && !format.IsJSON(layout) {
		return errs.Invalid("only supported value for '--format' is 'json'")
	}
	return nil
}

// PrintChanges prints what a diff found, in the layout of --format.
func PrintChanges(s streams.Streams, changes []layers.Change, layout string) error {
	if layout != "" {
		return format.JSON(s.Out, images.DiffReport(changes), format.IndentInspect)
	}
	for _, c := range changes {
		if _, err := fmt.Fprintln(s.Out, c.Kind, c.Path); err != nil {
			return err
		}
	}
	return nil
}
