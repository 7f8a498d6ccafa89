package image

import (
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/pushing"
	"hull.dev/hull/libpod/images"
)

// NewSign makes hull image sign.
func NewSign(d Deps) *cobra.Command {
	var (
		o      images.SignOptions
		access pushing.Access
	)
	cmd := &cobra.Command{
		Use: "sign [options] IMAGE [IMAGE...]", Short: "Sign an image",
		Long: "Signs images that are in a registry with a key of gpg's, and writes each signature to a file, signature-1 or the next that\n" +
			"is free. It lies where registries.d says that signatures of the registry are written (lookaside-staging, lookaside), in\n" +
			"~/.local/share/containers/sigstore or, of root, /var/lib/containers/sigstore when it says nothing, or in --directory. What\n" +
			"is there is for readers whose registries.d names it as the registry's lookaside.",
		Example: "  hull image sign --sign-by ann@example.org registry.example/team/mine:1.0\n" +
			"  hull image sign --all --sign-by ann@example.org --directory /srv/signatures docker://registry.example/team/tool:1",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.Access, err = access.Access(cmd.Context(), d.Streams); err != nil {
				return err
			}
			return d.do(cmd.Context(), func(e Engine) error { return e.Sign(cmd.Context(), args, o) })
		},
	}
	f := cmd.Flags()
	access.AddAuthFile(f)
	access.AddCertDir(f)
	f.BoolVarP(&o.All, "all", "a", false, "Sign all the manifests of the multi-architecture image")
	f.StringVarP(&o.Directory, "directory", "d", "", "Define an alternate directory to store signatures")
	f.StringVar(&o.Key, "sign-by", "", "Key of gpg's to sign with, by its fingerprint or an address of it")
	return cmd
}
