package image

import (
	"context"

	"github.com/spf13/cobra"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/imagecopy"
)

// NewScp makes hull image scp.
func NewScp(d Deps) *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use: "scp [options] IMAGE [HOST::]", Short: "Securely copy images",
		Long: "Copies an image to another host, from one, or between two, by ssh: with its keys, agent and configuration, and without a\n" +
			"daemon at either end. A host is [USER@]HOST[:PORT]:: and has hull or podman. USER@localhost:: is another user of this\n" +
			"machine, which root can copy to and from without ssh.",
		Example: "  hull image scp alpine web.example::\n  hull image scp ann@web.example:2222::alpine\n  hull image scp web.example::alpine db.example::\n" +
			"  sudo hull image scp root@localhost::alpine ann@localhost::",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return d.scp(cmd.Context(), args, quiet) },
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress the output")
	return cmd
}

func (d Deps) scp(ctx context.Context, args []string, quiet bool) error {
	o := imagecopy.Options{Quiet: quiet, Out: d.Streams.Out, Err: d.Streams.Err}
	var remote, there bool
	var renamed string
	var err error
	if o.From, o.Image, remote, err = imagecopy.Parse(args[0]); err != nil {
		return err
	}
	if len(args) > 1 {
		if o.To, renamed, there, err = imagecopy.Parse(args[1]); err != nil {
			return err
		}
	}
	switch {
	case o.Image == "":
		return errs.WithHint(errs.Invalid("%q names no image", args[0]), "hull image scp IMAGE HOST::")
	case len(args) > 1 && !there, !remote && !there:
		return errs.WithHint(errs.Invalid("no host is given to copy to or from"), "hull image scp IMAGE HOST::, or hull image scp HOST::IMAGE")
	case renamed != "":
		return errs.WithHint(errs.Invalid("%q: an image keeps its name where it is copied to", args[1]), "hull tag gives it another")
	case o.From == o.To:
		return errs.Invalid("the image is there already: both places are the same")
	}
	if o.Self, err = d.Self(); err != nil {
		return err
	}
	return imagecopy.Copy(ctx, o)
}
