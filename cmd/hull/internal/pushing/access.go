package pushing

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/transfer"
)

// Access are the flags that say how a registry is reached.
type Access struct {
	set       *pflag.FlagSet
	access    transfer.Access
	creds     string
	tlsVerify bool
}

// Add defines all of the flags.
func (f *Access) Add(fs *pflag.FlagSet) {
	f.AddAuthFile(fs)
	f.AddTLSVerify(fs)
	f.AddCertDir(fs)
	fs.StringVar(&f.creds, "creds", "", "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry")
}

// AddAuthFile defines --authfile alone.
func (f *Access) AddAuthFile(fs *pflag.FlagSet) {
	fs.StringVar(&f.access.AuthFile, "authfile", os.Getenv("REGISTRY_AUTH_FILE"), "Path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
}

// AddCertDir defines --cert-dir alone.
func (f *Access) AddCertDir(fs *pflag.FlagSet) {
	fs.StringVar(&f.access.CertDir, "cert-dir", "", "Path to a directory containing TLS certificates and keys")
}

// AddTLSVerify defines --tls-verify alone.
func (f *Access) AddTLSVerify(fs *pflag.FlagSet) {
	f.set = fs
	fs.BoolVar(&f.tlsVerify, "tls-verify", true, "Require HTTPS and verify certificates when contacting registries")
}

// Access is what the flags say. Credentials without a password are asked for at the terminal.
func (f *Access) Access(ctx context.Context, s streams.Streams) (_ transfer.Access, err error) {
	a := f.access
	if f.set != nil && f.set.Changed("tls-verify") {
		a.TLSVerify = &f.tlsVerify
	}
	if a.AuthFile != "" {
		if _, err := os.Stat(a.AuthFile); err != nil {
			return a, fmt.Errorf("--authfile: %w", err)
		}
	}
	if f.creds != "" {
		a.User, a.Password, err = pulling.Credentials(ctx, s, f.creds)
	}
	return a, err
}
