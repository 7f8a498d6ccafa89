package image

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/errs"
)

// NewLoad makes hull load.
func NewLoad(d Deps) *cobra.Command {
	var o images.LoadOptions
	var quiet bool
	cmd := &cobra.Command{
		Use: "load [options]", Short: "Load image(s) from a tar archive",
		Example: "  hull load --input image.tar\n  hull load < image.tar",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Path == "" {
				if d.Streams.InIsTerminal() {
					return errs.Invalid("cannot read from terminal, use command-line redirection or the --input flag")
				}
				o.Stdin = d.stdin()
			}
			o.Progress = d.progress(quiet)
			return d.do(cmd.Context(), func(e Engine) error {
				names, err := e.Load(cmd.Context(), o)
				if err == nil {
					_, err = fmt.Fprintln(d.Streams.Out, "Loaded image: "+strings.Join(names, "\nLoaded image: "))
				}
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&o.Path, "input", "i", "", "Load images from specified tar archive file")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress the output")
	return cmd
}

// NewImport makes hull import.
func NewImport(d Deps) *cobra.Command {
	var o images.ImportOptions
	var quiet bool
	cmd := &cobra.Command{
		Use: "import [options] PATH [REFERENCE]", Short: "Import a tarball to create a filesystem image",
		Example: "  hull import rootfs.tar mine:latest\n  hull import --change 'CMD [\"/bin/sh\"]' rootfs.tar mine",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return errs.Invalid("need to give the path to the tarball, or must specify a tarball of '-' for stdin")
			case 1:
			case 2:
				o.Name = args[1]
			default:
				return errs.Invalid("too many arguments. Usage TARBALL [REFERENCE]")
			}
			if o.Path = args[0]; o.Path == "-" {
				o.Path, o.Stdin = "", d.stdin()
			}
			o.Progress = d.progress(quiet)
			return d.do(cmd.Context(), func(e Engine) error {
				id, err := e.Import(cmd.Context(), o)
				if err == nil {
					_, err = fmt.Fprintln(d.Streams.Out, "sha256:"+id)
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	lists.Var(f, &o.Changes, "change", "c", "Apply the following possible instructions to the created image (default []): CMD | ENTRYPOINT | ENV | EXPOSE | LABEL | STOPSIGNAL | USER | VOLUME | WORKDIR")
	f.StringVarP(&o.Message, "message", "m", "", "Set commit message for imported image")
	f.StringVar(&o.OS, "os", "", "Set the OS of the imported image")
	f.StringVar(&o.Arch, "arch", "", "Set the architecture of the imported image")
	f.StringVar(&o.Variant, "variant", "", "Set the variant of the imported image")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress output")
	return cmd
}
