package image

import (
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/errs"
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
			if layout != "" && !format.IsJSON(layout) {
				return errs.Invalid("only supported value for '--format' is 'json'")
			}
			return d.do(cmd.Context(), func(e Engine) error {
				changes, err := e.Diff(cmd.Context(), args[0], append(args, "")[1])
				if err != nil {
					return err
				}
				if layout != "" {
					return format.JSON(d.Streams.Out, images.DiffReport(changes), format.IndentInspect)
				}
				for _, c := range changes {
					if _, err := fmt.Fprintln(d.Streams.Out, c.Kind, c.Path); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&layout, "format", "", "Change the output format (json)")
	return cmd
}
