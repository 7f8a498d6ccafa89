// Package pushing is what the commands that send something to a registry share: push, manifest push and artifact push.
package pushing

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/term"
)

// Compressions are what --compression-format and --add-compression take.
func Compressions() []string { return []string{"gzip", "zstd", "zstd:chunked"} }

// Flags are those of podman-push(1) that podman-manifest-push(1) has too; the fields of PushOptions that no flag here is
// for are the command's.
type Flags struct {
	images.PushOptions
	access Access
	set    *pflag.FlagSet

	level          int
	delay          string
	passphraseFile string
	signBySequoia  string
	quiet          bool
}

// Add defines the flags that all have.
func (f *Flags) Add(fs *pflag.FlagSet) {
	f.set = fs
	f.access.Add(fs)
	fs.StringVar(&f.DigestFile, "digestfile", "", "Write the digest of what was pushed to the specified file")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress output information when pushing")
	fs.StringVar(&f.SignBy, "sign-by", "", "Add a signature at the destination using the specified key of gpg's")
	fs.StringVar(&f.signBySequoia, "sign-by-sq-fingerprint", "", "Sign using a Sequoia-PGP key with the specified fingerprint")
	fs.StringVar(&f.SigstoreParameters, "sign-by-sigstore", "", "Sign using a sigstore parameter file at the specified path")
	fs.StringVar(&f.SigstoreKey, "sign-by-sigstore-private-key", "", "Sign using a sigstore private key at the specified path")
	fs.StringVar(&f.passphraseFile, "sign-passphrase-file", "", "Read a passphrase for signing from the specified path")
	_ = fs.MarkHidden("sign-by-sq-fingerprint")
}

// AddCompression defines the flags of what has layers.
func (f *Flags) AddCompression(fs *pflag.FlagSet) {
	fs.StringVar(&f.Compression, "compression-format", "", "compression format to use: gzip, zstd or zstd:chunked (default gzip)")
	fs.IntVar(&f.level, "compression-level", 0, "compression level to use")
	fs.BoolVar(&f.ForceCompression, "force-compression", false, "Use the specified compression algorithm even if the destination contains a differently-compressed variant already")
	fs.BoolVar(&f.RemoveSignatures, "remove-signatures", false, "Discard any pre-existing signatures in the image")
}

// AddRetry defines how often it is tried.
func (f *Flags) AddRetry(fs *pflag.FlagSet) {
	fs.UintVar(&f.Retry, "retry", 3, "number of times to retry in case of failure when performing push")
	fs.StringVar(&f.delay, "retry-delay", "", "delay between retries in case of push failures")
}

// Options checks the flags, and takes from containers.conf what they leave open. command is for messages.
func (f *Flags) Options(ctx context.Context, command string, s streams.Streams, c *config.Config) (images.PushOptions, error) {
	o := &f.PushOptions
	switch {
	case o.SignBy != "" && (o.SigstoreKey != "" || o.SigstoreParameters != "") && f.passphraseFile != "":
		return *o, errs.Invalid("only one of --sign-by and --sign-by-sigstore… can be used with --sign-passphrase-file")
	case f.signBySequoia != "":
		return *o, errs.WithHint(errs.NotBuilt(command+": --sign-by-sq-fingerprint"), "hull carries no Sequoia; --sign-by signs with gpg's keys")
	case f.passphraseFile != "" && o.SignBy == "" && o.SigstoreKey == "" && o.SigstoreParameters == "":
		return *o, errs.Invalid("--sign-passphrase-file can be used only with --sign-by, --sign-by-sigstore-private-key or --sign-by-sigstore")
	}
	if f.set.Lookup("compression-format") != nil {
		if err := f.compression(c); err != nil {
			return *o, err
		}
	}
	if err := f.retries(c); err != nil {
		return *o, err
	}
	var err error
	if o.Access, err = f.access.Access(ctx, s); err != nil {
		return *o, err
	}
	if !f.quiet {
		o.Progress = pulling.Progress(s)
	}
	err = f.passphrase(s)
	return *o, err
}

// compression: a format that the user asks for is the one that layers have then, also those that the registry has in
// another one; the one of containers.conf is a wish.
func (f *Flags) compression(c *config.Config) error {
	o := &f.PushOptions
	asked := f.set.Changed("compression-format")
	if !asked {
		o.Compression = c.Engine.CompressionFormat
	}
	if o.Compression != "" && !slices.Contains(Compressions(), o.Compression) {
		return errs.Invalid("cannot find compressor for %q%s", o.Compression, errs.DidYouMean(o.Compression, Compressions()))
	}
	if asked && !f.set.Changed("force-compression") {
		o.ForceCompression = true
	}
	o.CompressionLevel = c.Engine.CompressionLevel
	if f.set.Changed("compression-level") {
		o.CompressionLevel = &f.level
	}
	return nil
}

func (f *Flags) retries(c *config.Config) error {
	if !f.set.Changed("retry") {
		f.Retry = uint(c.Engine.Retry)
	}
	delay := f.delay
	if !f.set.Changed("retry-delay") {
		delay = c.Engine.RetryDelay
	}
	if delay == "" {
		return nil
	}
	var err error
	if f.RetryDelay, err = time.ParseDuration(delay); err != nil || f.RetryDelay < 0 {
		return errs.Invalid("--retry-delay: %q is not a duration such as 5s", delay)
	}
	return nil
}

// passphrase reads the passphrase of the key to sign with: the first line of its file, or what the user types.
func (f *Flags) passphrase(s streams.Streams) (err error) {
	if f.passphraseFile != "" {
		data, err := os.ReadFile(f.passphraseFile)
		if err != nil {
			return fmt.Errorf("--sign-passphrase-file: %w", err)
		}
		f.Passphrase, _, _ = bytes.Cut(data, []byte("\n"))
		return nil
	}
	if f.SigstoreKey == "" {
		return nil
	}
	in, isFile := s.In.(*os.File)
	if !isFile || !s.InIsTerminal() {
		return errs.WithHint(errs.Invalid("the key %q has a passphrase, and there is no terminal to ask at", f.SigstoreKey),
			"--sign-passphrase-file names a file with it")
	}
	_, _ = fmt.Fprintf(s.Err, "Passphrase for %s: ", f.SigstoreKey)
	typed, err := term.ReadPassword(in)
	_, _ = fmt.Fprintln(s.Err)
	f.Passphrase = []byte(typed)
	return err
}
