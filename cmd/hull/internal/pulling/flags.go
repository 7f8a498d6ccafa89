// Package pulling is what the commands that fetch an image share, pull as well as run and create: their flags, the
// progress that they show, and the questions that they ask at a terminal.
package pulling

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// Flags are those of podman-pull(1) that podman-run(1) has too.
type Flags struct {
	set *pflag.FlagSet

	platform, os, arch, variant          string
	authFile, certDir, creds, retryDelay string
	tlsVerify                            bool
	retry                                uint
	keys                                 []string
}

// Add defines the flags.
func (f *Flags) Add(fs *pflag.FlagSet) {
	f.AddTransfer(fs)
	fs.StringVar(&f.platform, "platform", "", "Specify the platform for selecting the image (OS/ARCH[/VARIANT])")
	fs.StringVar(&f.os, "os", "", "Use OS instead of the running OS for choosing images")
	fs.StringVar(&f.arch, "arch", "", "Use ARCH instead of the architecture of the machine for choosing images")
	fs.Bool("disable-content-trust", false, "This is a Docker specific option and is a NOOP")
	fs.StringVar(&f.variant, "variant", "", "Use VARIANT instead of the running architecture variant for choosing images")
}

// AddTransfer defines those that choose no platform.
func (f *Flags) AddTransfer(fs *pflag.FlagSet) {
	f.set = fs
	fs.StringVar(&f.authFile, "authfile", "", "Path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	fs.StringVar(&f.certDir, "cert-dir", "", "Pathname of a directory containing TLS certificates and keys")
	fs.StringVar(&f.creds, "creds", "", "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry")
	fs.BoolVar(&f.tlsVerify, "tls-verify", true, "Require HTTPS and verify certificates when contacting registries")
	fs.UintVar(&f.retry, "retry", 3, "Number of times to retry in case of failure when performing pull")
	fs.StringVar(&f.retryDelay, "retry-delay", "", "Delay between retries in case of pull failures (default: two seconds, then twice as long each time)")
	lists.CommaVar(fs, &f.keys, "decryption-key", "", "Key needed to decrypt the image (e.g. /path/to/key.pem)")
}

// Options are what the flags ask for; what no flag says is the configuration's. Credentials without a password are asked
// for at the terminal.
func (f *Flags) Options(ctx context.Context, s streams.Streams, c *config.Config) (images.PullOptions, error) {
	o := images.PullOptions{}
	o.Parallel = uint(c.Engine.ImageParallel)
	if err := f.choose(&o); err != nil {
		return o, err
	}
	for i := range f.keys {
		path, secret, ok := strings.Cut(f.keys[i], ":")
		full, err := filepath.Abs(path)
		if err != nil {
			return o, err
		}
		if ok {
			full += ":" + secret
		}
		o.Keys = append(o.Keys, full)
	}
	if err := f.again(&o, c); err != nil {
		return o, err
	}
	var err error
	if path := cmp.Or(f.authFile, os.Getenv("REGISTRY_AUTH_FILE")); path != "" {
		if o.Access.AuthFile, err = existing(path, "authentication file"); err != nil {
			return o, err
		}
	}
	if f.certDir != "" {
		if st, err := os.Stat(f.certDir); err != nil || !st.IsDir() {
			return o, errs.NotFound("--cert-dir %q is not a folder", f.certDir)
		}
		if o.Access.CertDir, err = filepath.Abs(f.certDir); err != nil {
			return o, err
		}
	}
	if f.set.Changed("tls-verify") {
		o.Access.TLSVerify = &f.tlsVerify
	}
	if f.set.Changed("creds") {
		o.Access.User, o.Access.Password, err = Credentials(ctx, s, f.creds)
	}
	if s.InIsTerminal() && s.ErrIsTerminal() {
		o.Choose = chooser(s)
	}
	return o, err
}

// choose says for which platform the image is to be.
func (f *Flags) choose(o *images.PullOptions) error {
	o.OS, o.Arch, o.Variant = f.os, f.arch, f.variant
	defer func() { o.Arch = architecture(o.Arch) }()
	if f.platform == "" {
		return nil
	}
	if f.os != "" || f.arch != "" {
		return errs.Invalid("--platform option can not be specified with --arch or --os")
	}
	parts := strings.Split(f.platform, "/")
	if len(parts) > 3 || !regexp.MustCompile(`^[A-Za-z0-9_./-]+$`).MatchString(f.platform) {
		return errs.Invalid("--platform %q is not OS[/ARCH[/VARIANT]], like linux/arm64", f.platform)
	}
	parts = append(parts, "", "")
	o.OS, o.Arch, o.Variant = strings.ToLower(parts[0]), parts[1], parts[2]
	return nil
}

// architecture is what images call it (image-spec config.md: GOARCH), where others have another name.
func architecture(name string) string {
	switch name {
	case "x86_64", "x86-64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "i386", "i686":
		return "386"
	}
	return name
}

// again says how often, and how soon, it is tried again.
func (f *Flags) again(o *images.PullOptions, c *config.Config) error {
	o.Retry = uint(c.Engine.Retry)
	if f.set.Changed("retry") {
		o.Retry = f.retry
	}
	text, from := c.Engine.RetryDelay, "retry_delay in containers.conf"
	if f.retryDelay != "" {
		text, from = f.retryDelay, "--retry-delay"
	}
	if text == "" {
		return nil
	}
	delay, err := time.ParseDuration(text)
	if err != nil || delay < 0 {
		return errs.Invalid("%s %q is no duration: 5s, 1m30s", from, text)
	}
	o.RetryDelay = delay
	return nil
}

// Reference is what a container is made from once ref was fetched: the name, or the id of what has none here.
func Reference(ref string, ids []string) string {
	if name, ok := strings.CutPrefix(ref, "docker://"); ok {
		return name
	}
	if word, _, ok := strings.Cut(ref, ":"); ok && transfer.IsTransport(word) && len(ids) > 0 {
		return ids[0]
	}
	return ref
}
