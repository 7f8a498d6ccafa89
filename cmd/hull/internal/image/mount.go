package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/rootless"
)

// NewMount makes hull image mount.
func NewMount(d Deps) *cobra.Command {
	var o define.ImageMountOptions
	var layout string
	cmd := &cobra.Command{
		Use: "mount [options] [IMAGE...]", Short: "Mount an image's root filesystem",
		Long: "Mounts the root file systems of images, read only, and prints where; without a name it lists what is mounted. A user other\n" +
			"than root sees the mounts in \"hull unshare\" alone, so the command works there alone.",
		Example: "  hull unshare hull image mount alpine\n  hull unshare hull image mount --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.All && len(args) > 0 {
				return errs.Invalid("when using the --all switch, you may not pass any image names or IDs")
			}
			if layout != "" && !format.IsJSON(layout) {
				return errs.Invalid("unknown --format argument: %q", layout)
			}
			return d.do(cmd.Context(), func(e Engine) error { return d.mount(cmd.Context(), e, args, o, layout) })
		},
	}
	cmd.Flags().BoolVarP(&o.All, "all", "a", false, "Mount all images")
	cmd.Flags().StringVar(&layout, "format", "", "Print the mounted images in specified format (json)")
	return cmd
}

func (d Deps) mount(ctx context.Context, e Engine, refs []string, o define.ImageMountOptions, layout string) error {
	if rootless.CalledFromOutside() {
		return errs.WithHint(errs.Invalid("cannot run command \"hull image mount\" in rootless mode, must execute `hull unshare` first"),
			"the mount would be seen by no other program")
	}
	var found []define.ImageMount
	var err error
	if o.All || len(refs) > 0 {
		found, err = e.Mount(ctx, refs, o)
	} else {
		found, err = e.Mounts(ctx)
	}
	if err != nil && len(found) == 0 {
		return err
	}
	return errors.Join(d.printMounts(found, layout, len(refs) == 1), err)
}

// mountRow is a line of the list.
type mountRow struct{ ID, Path string }

func (d Deps) printMounts(found []define.ImageMount, layout string, one bool) error {
	switch {
	case layout != "":
		return format.JSON(d.Streams.Out, found, " ")
	case one:
		_, err := fmt.Fprintln(d.Streams.Out, found[0].Path)
		return err
	}
	rows := make([]mountRow, 0, len(found))
	for _, m := range found {
		row := mountRow{m.ID, m.Path}
		if len(m.Repositories) > 0 {
			row.ID = m.Repositories[0]
		}
		rows = append(rows, row)
	}
	return format.List(d.Streams, rows, format.Listing{Default: "table {{.ID}}\t{{.Path}}", NoHeading: true})
}

// NewUnmount makes hull image unmount.
func NewUnmount(d Deps) *cobra.Command {
	var o define.ImageMountOptions
	cmd := &cobra.Command{
		Use: "unmount [options] IMAGE [IMAGE...]", Short: "Unmount an image's root filesystem",
		Long: "Takes a mount of each image back and prints its id. An image that was mounted twice is still mounted once then; with --force\n" +
			"it is not. One that is not mounted is no error.",
		Example: "  hull image unmount alpine\n  hull image unmount --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !o.All:
				return errs.WithHint(errs.Invalid("image name or ID must be specified"), "hull image unmount --all unmounts every image")
			case len(args) > 0 && o.All:
				return errs.Invalid("when using the --all switch, you may not pass any image names or IDs")
			}
			return d.do(cmd.Context(), func(e Engine) error {
				ids, failed := e.Unmount(cmd.Context(), args, o)
				for _, id := range ids {
					if _, err := fmt.Fprintln(d.Streams.Out, id); err != nil {
						return errors.Join(failed, err)
					}
				}
				return failed
			})
		},
	}
	cmd.Flags().BoolVarP(&o.All, "all", "a", false, "Unmount all of the currently mounted images")
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "Force the complete unmount of the specified mounted images")
	return cmd
}
