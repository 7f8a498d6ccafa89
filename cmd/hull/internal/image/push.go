package image

import (
	"slices"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/pushing"
	"hull.dev/hull/pkg/errs"
)

// pushFormats are what --format takes.
var pushFormats = []string{"oci", "v2s1", "v2s2"}

// NewPush makes hull push.
func NewPush(d Deps) *cobra.Command {
	var f pushing.Flags
	cmd := &cobra.Command{
		Use: "push [options] IMAGE [DESTINATION]", Short: "Push an image to a specified destination",
		Example: "  hull push mine:1.0 registry.example/team/mine:1.0\n  hull push --digestfile digest mine:1.0 dir:/tmp/mine",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) < 1 || len(args) > 2:
				return errs.Invalid("accepts between 1 and 2 arg(s), received %d", len(args))
			case f.Format != "" && !slices.Contains(pushFormats, f.Format):
				return errs.Invalid("unknown format %q: choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'", f.Format)
			case len(f.EncryptLayers) > 0 && len(f.EncryptionKeys) == 0:
				return errs.Invalid("--encrypt-layer can be used only with --encryption-key")
			}
			c, err := d.Config()
			if err != nil {
				return err
			}
			o, err := f.Options(cmd.Context(), "hull push", d.Streams, c)
			if err != nil {
				return err
			}
			destination := ""
			if len(args) == 2 {
				destination = args[1]
			}
			return d.do(cmd.Context(), func(e Engine) error {
				_, err := e.Push(cmd.Context(), args[0], destination, o)
				return err
			})
		},
	}
	s := cmd.Flags()
	f.Add(s)
	f.AddCompression(s)
	f.AddRetry(s)
	s.BoolVar(&f.Compress, "compress", false, "Compress tarball image layers when pushing to a directory using the 'dir' transport. (default is same compression type as source)")
	s.Bool("disable-content-trust", false, "This is a Docker specific option and is a NOOP")
	s.IntSliceVar(&f.EncryptLayers, "encrypt-layer", nil, "Layers to encrypt, 0-indexed layer indices with support for negative indexing (e.g. 0 is the first layer, -1 is the last layer). If not defined, will encrypt all layers if encryption-key flag is specified")
	lists.Var(s, &f.EncryptionKeys, "encryption-key", "", "Key with the encryption protocol to use to encrypt the image (e.g. jwe:/path/to/key.pem)")
	s.StringVarP(&f.Format, "format", "f", "", "Manifest type (oci, v2s2, or v2s1) to use in the destination (default is manifest type of source, with fallbacks)")
	return cmd
}
