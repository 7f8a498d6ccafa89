package container

import (
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/image"
)

// NewDiff makes "hull container diff".
func NewDiff(d Deps) *cobra.Command {
	return newDiff(d, &cobra.Command{
		Use: "diff [options] CONTAINER [CONTAINER]", Short: "Inspect changes to the container's file systems",
		Long: "Prints the paths in which a container differs from the second one, or from its image: A for those that were added, C for\n" +
			"those that were changed, D for those that were deleted.",
		Example: "  hull container diff web\n  hull container diff --format json web\n  hull container diff web other",
	}, false)
}

// NewDiffAny makes "hull diff", which takes containers and images.
func NewDiffAny(d Deps) *cobra.Command {
	return newDiff(d, &cobra.Command{
		Use: "diff [options] {CONTAINER|IMAGE} [{CONTAINER|IMAGE}]", Short: "Display the changes to the object's file system",
		Long: "Prints the paths in which a container or image differs from the second one, or a container from its image and an image from\n" +
			"what lies below its top layer: A for those that were added, C for those that were changed, D for those that were deleted.",
		Example: "  hull diff web\n  hull diff --format json web\n  hull diff web alpine",
	}, true)
}

func newDiff(d Deps, cmd *cobra.Command, images bool) *cobra.Command {
	var p pick
	var layout string
	cmd.Args = cobra.MaximumNArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := image.CheckDiffFormat(layout); err != nil {
			return err
		}
		if err := p.check(args); err != nil {
			return err
		}
		e, err := d.Engine(cmd.Context())
		if err != nil {
			return err
		}
		ref, rest, err := p.one(cmd.Context(), e, args)
		if err != nil {
			return err
		}
		changes, err := e.Differences.Diff(cmd.Context(), ref, append(rest, "")[0], images)
		if err != nil {
			return err
		}
		return image.PrintChanges(d.Streams, changes, layout)
	}
	cmd.Flags().StringVar(&layout, "format", "", "Change the output format (json)")
	p.addLatest(cmd.Flags())
	return cmd
}
