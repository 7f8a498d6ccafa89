package image

import (
	"os"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/errs"
)

// pushFlags are the flags of hull push that are no fields of images.PushOptions.
type pushFlags struct {
	o              images.PushOptions
	creds          string
	level          int
	delay          string
	passphraseFile string
	signBy         string
	signBySequoia  string
	tlsVerify      bool
	quiet          bool
	noContentTrust bool // a word of docker's that says nothing here (podman-push(1))
}

// NewPush makes hull push.
func NewPush(d Deps) *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use: "push [options] IMAGE [DESTINATION]", Short: "Push an image to a specified destination",
		Example: "  hull push mine:1.0 registry.example/team/mine:1.0\n  hull push --digestfile digest mine:1.0 dir:/tmp/mine",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errs.Invalid("accepts between 1 and 2 arg(s), received %d", len(args))
			}
			if err := d.finishPush(cmd, &f); err != nil {
				return err
			}
			destination := ""
			if len(args) == 2 {
				destination = args[1]
			}
			if !f.quiet {
				f.o.Progress = pulling.Progress(d.Streams)
			}
			return d.do(cmd.Context(), func(e Engine) error {
				_, err := e.Push(cmd.Context(), args[0], destination, f.o)
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (f *pushFlags) add(cmd *cobra.Command) {
	s, o := cmd.Flags(), &f.o
	s.StringVar(&o.Access.AuthFile, "authfile", os.Getenv("REGISTRY_AUTH_FILE"), "Path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	s.StringVar(&o.Access.CertDir, "cert-dir", "", "Path to a directory containing TLS certificates and keys")
	s.BoolVar(&o.Compress, "compress", false, "Compress tarball image layers when pushing to a directory using the 'dir' transport. (default is same compression type as source)")
	s.StringVar(&o.Compression, "compression-format", "", "compression format to use: gzip, zstd or zstd:chunked (default gzip)")
	s.IntVar(&f.level, "compression-level", 0, "compression level to use")
	s.StringVar(&f.creds, "creds", "", "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry")
	s.StringVar(&o.DigestFile, "digestfile", "", "Write the digest of the pushed image to the specified file")
	s.BoolVar(&f.noContentTrust, "disable-content-trust", false, "This is a Docker specific option and is a NOOP")
	s.IntSliceVar(&o.EncryptLayers, "encrypt-layer", nil, "Layers to encrypt, 0-indexed layer indices with support for negative indexing (e.g. 0 is the first layer, -1 is the last layer). If not defined, will encrypt all layers if encryption-key flag is specified")
	s.StringArrayVar(&o.EncryptionKeys, "encryption-key", nil, "Key with the encryption protocol to use to encrypt the image (e.g. jwe:/path/to/key.pem)")
	s.BoolVar(&o.ForceCompression, "force-compression", false, "Use the specified compression algorithm even if the destination contains a differently-compressed variant already")
	s.StringVarP(&o.Format, "format", "f", "", "Manifest type (oci, v2s2, or v2s1) to use in the destination (default is manifest type of source, with fallbacks)")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress output information when pushing images")
	s.BoolVar(&o.RemoveSignatures, "remove-signatures", false, "Discard any pre-existing signatures in the image")
	s.UintVar(&o.Retry, "retry", 3, "number of times to retry in case of failure when performing push")
	s.StringVar(&f.delay, "retry-delay", "", "delay between retries in case of push failures")
	s.StringVar(&f.signBy, "sign-by", "", "Add a signature at the destination using the specified key")
	s.StringVar(&f.signBySequoia, "sign-by-sq-fingerprint", "", "Sign the image using a Sequoia-PGP key with the specified fingerprint")
	s.StringVar(&o.SigstoreParameters, "sign-by-sigstore", "", "Sign the image using a sigstore parameter file at the specified path")
	s.StringVar(&o.SigstoreKey, "sign-by-sigstore-private-key", "", "Sign the image using a sigstore private key at the specified path")
	s.StringVar(&f.passphraseFile, "sign-passphrase-file", "", "Read a passphrase for signing an image from the specified path")
	s.BoolVar(&f.tlsVerify, "tls-verify", true, "Require HTTPS and verify certificates when contacting registries")
	for _, name := range []string{"sign-by", "sign-by-sq-fingerprint"} {
		_ = s.MarkHidden(name)
	}
}
