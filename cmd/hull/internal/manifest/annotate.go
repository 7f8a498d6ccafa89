package manifest

import (
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/pkg/errs"
)

// NewAnnotate makes hull manifest annotate.
func NewAnnotate(d Deps) *cobra.Command {
	var f entryFlags
	var index bool
	cmd := &cobra.Command{
		Use: "annotate [options] LIST [IMAGEORARTIFACT]", Short: "Add or update information about an entry in a manifest list or image index",
		Example: "  hull manifest annotate --annotation left=right mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736\n  hull manifest annotate --index --annotation version=1.11 mylist:v1.11\n  hull manifest annotate --index --subject registry.example/mine:1 mylist:v1.11",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := pairs(f.annotations)
			if err != nil {
				return err
			}
			image := ""
			switch {
			case index && (len(args) > 1 || f.o.OfOne()):
				return errs.Invalid("--index is about the list alone: with it there is no image and nothing but --annotation and --subject")
			case index:
				f.o.Index = all
			case len(args) < 2:
				return errs.WithHint(errs.Invalid("requires at least 2 arg(s), only received 1"), "--index annotates the list itself")
			default:
				image, f.o.Annotations = args[1], all
			}
			return d.printID(cmd.Context(), func(e Engine) (string, error) { return e.ManifestAnnotate(cmd.Context(), args[0], image, f.o) })
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	fs.BoolVar(&index, "index", false, "apply annotations to the list itself")
	lists.CommaVar(fs, &f.o.OSFeatures, "os-features", "", "override the OS features of the specified image")
	fs.StringVar(&f.o.Subject, "subject", "", "image that the list belongs to")
	return cmd
}
