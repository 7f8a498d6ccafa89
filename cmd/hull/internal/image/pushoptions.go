package image

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/term"
)

// What --format and --compression-format take.
var (
	pushFormats  = []string{"oci", "v2s1", "v2s2"}
	compressions = []string{"gzip", "zstd", "zstd:chunked"}
)

// finishPush checks the flags, and takes from containers.conf what they leave open.
func (d Deps) finishPush(cmd *cobra.Command, f *pushFlags) error {
	o := &f.o
	switch {
	case f.signBy != "":
		return errs.WithHint(errs.NotBuilt("hull push: --sign-by"), "hull carries no GnuPG that signs; --sign-by-sigstore-private-key does")
	case f.signBySequoia != "":
		return errs.WithHint(errs.NotBuilt("hull push: --sign-by-sq-fingerprint"), "hull carries no Sequoia; --sign-by-sigstore-private-key signs")
	case o.Format != "" && !slices.Contains(pushFormats, o.Format):
		return errs.Invalid("unknown format %q: choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'", o.Format)
	case len(o.EncryptLayers) > 0 && len(o.EncryptionKeys) == 0:
		return errs.Invalid("--encrypt-layer can be used only with --encryption-key")
	case f.passphraseFile != "" && o.SigstoreKey == "" && o.SigstoreParameters == "":
		return errs.Invalid("--sign-passphrase-file can be used only with --sign-by-sigstore-private-key or --sign-by-sigstore")
	}
	c, err := d.Config()
	if err != nil {
		return err
	}
	if err := f.compression(cmd, c); err != nil {
		return err
	}
	if err := f.retries(cmd, c); err != nil {
		return err
	}
	if cmd.Flags().Changed("tls-verify") {
		o.Access.TLSVerify = &f.tlsVerify
	}
	if o.Access.AuthFile != "" {
		if _, err := os.Stat(o.Access.AuthFile); err != nil {
			return fmt.Errorf("--authfile: %w", err)
		}
	}
	if f.creds != "" {
		if o.Access.User, o.Access.Password, err = pulling.Credentials(cmd.Context(), d.Streams, f.creds); err != nil {
			return err
		}
	}
	return d.passphrase(f)
}

// compression: a format that the user asks for is the one that layers have then, also those that the registry has in
// another one; the one of containers.conf is a wish.
func (f *pushFlags) compression(cmd *cobra.Command, c *config.Config) error {
	o := &f.o
	asked := cmd.Flags().Changed("compression-format")
	if !asked {
		o.Compression = c.Engine.CompressionFormat
	}
	if o.Compression != "" && !slices.Contains(compressions, o.Compression) {
		return errs.Invalid("cannot find compressor for %q%s", o.Compression, errs.DidYouMean(o.Compression, compressions))
	}
	if asked && !cmd.Flags().Changed("force-compression") {
		o.ForceCompression = true
	}
	o.CompressionLevel = c.Engine.CompressionLevel
	if cmd.Flags().Changed("compression-level") {
		o.CompressionLevel = &f.level
	}
	return nil
}

func (f *pushFlags) retries(cmd *cobra.Command, c *config.Config) error {
	if !cmd.Flags().Changed("retry") {
		f.o.Retry = uint(c.Engine.Retry)
	}
	delay := f.delay
	if !cmd.Flags().Changed("retry-delay") {
		delay = c.Engine.RetryDelay
	}
	if delay == "" {
		return nil
	}
	var err error
	if f.o.RetryDelay, err = time.ParseDuration(delay); err != nil || f.o.RetryDelay < 0 {
		return errs.Invalid("--retry-delay: %q is not a duration such as 5s", delay)
	}
	return nil
}

// passphrase reads the passphrase of the key to sign with: the first line of its file, or what the user types.
func (d Deps) passphrase(f *pushFlags) (err error) {
	if f.passphraseFile != "" {
		data, err := os.ReadFile(f.passphraseFile)
		if err != nil {
			return fmt.Errorf("--sign-passphrase-file: %w", err)
		}
		f.o.Passphrase, _, _ = bytes.Cut(data, []byte("\n"))
		return nil
	}
	if f.o.SigstoreKey == "" {
		return nil
	}
	in := d.stdin()
	if in == nil || !d.Streams.InIsTerminal() {
		return errs.WithHint(errs.Invalid("the key %q has a passphrase, and there is no terminal to ask at", f.o.SigstoreKey),
			"--sign-passphrase-file names a file with it")
	}
	_, _ = fmt.Fprintf(d.Streams.Err, "Passphrase for %s: ", f.o.SigstoreKey)
	typed, err := term.ReadPassword(in)
	_, _ = fmt.Fprintln(d.Streams.Err)
	f.o.Passphrase = []byte(typed)
	return err
}
