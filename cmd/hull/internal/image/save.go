package image

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/errs"
)

// NewSave makes hull save.
func NewSave(d Deps) *cobra.Command {
	var o images.SaveOptions
	var quiet bool
	cmd := &cobra.Command{
		Use: "save [options] IMAGE [IMAGE...]", Short: "Save image(s) to an archive",
		Example: "  hull save --quiet -o myimage.tar imageID\n  hull save --format docker-dir -o ubuntu-dir ubuntu\n" +
			"  hull save -m -o two.tar alpine busybox",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errs.Invalid("need at least 1 argument")
			}
			if !cmd.Flags().Changed("multi-image-archive") {
				c, err := d.Config()
				if err != nil {
					return err
				}
				o.Multi = c.Engine.MultiImageArchive
			}
			o.Output, _ = d.Streams.Out.(*os.File)
			if err := d.checkSave(o); err != nil {
				return err
			}
			if !quiet {
				o.Progress = pulling.Progress(d.Streams)
			}
			return d.do(cmd.Context(), func(e Engine) error { return e.Save(cmd.Context(), args, o) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Compress, "compress", false, "Compress tarball image layers when saving to a directory using the 'dir' transport. (default is same compression type as source)")
	f.StringVar(&o.Format, "format", "docker-archive", "Save image to oci-archive, oci-dir (directory with oci manifest type), docker-archive, docker-dir (directory with v2s2 manifest type)")
	f.BoolVarP(&o.Multi, "multi-image-archive", "m", false, "Interpret additional arguments as images not tags and create a multi-image-archive (only for docker-archive)")
	f.StringVarP(&o.Path, "output", "o", "", "Write to a specified file (default: stdout, which must be redirected)")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress the output")
	f.BoolVar(&o.Uncompressed, "uncompressed", false, "Accept uncompressed layers when copying OCI images")
	return cmd
}

func (d Deps) checkSave(o images.SaveOptions) error {
	switch {
	case !slices.Contains(images.SaveFormats, o.Format):
		return errs.Invalid("format value must be one of %s%s", strings.Join(images.SaveFormats, " "), errs.DidYouMean(o.Format, images.SaveFormats))
	case o.Compress && o.Format != "docker-dir":
		return errs.Invalid("--compress can only be set when --format is 'docker-dir'")
	case o.Compress && o.Uncompressed:
		return errs.Invalid("--compress and --uncompressed cannot both be set")
	case strings.Contains(o.Path, ":"):
		return errs.Invalid("invalid filename (should not contain ':') %q", o.Path)
	case o.Path == "" && strings.HasSuffix(o.Format, "-dir"):
		return errs.Invalid("--format %s makes a folder: name it with --output", o.Format)
	case o.Path == "" && d.Streams.OutIsTerminal():
		return errs.Invalid("refusing to save to terminal. Use -o flag or redirect")
	case o.Path == "" && o.Output == nil:
		return errs.Invalid("standard output is no file; use the -o flag")
	}
	return nil
}
