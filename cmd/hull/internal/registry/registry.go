// Package registry has the commands on registries themselves: login, logout and search, with podman's flags, output and exit codes.
package registry

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/registries"
	"hull.dev/hull/pkg/transfer"
)

// Engine is what the commands need done; registries.Service does it.
type Engine interface {
	LoggedIn(ctx context.Context, o registries.Options) (registries.Login, error)
	Login(ctx context.Context, o registries.Options) (registries.Login, error)
	Check(ctx context.Context, o registries.Options) error
	Logout(ctx context.Context, o registries.Options, all bool) (registries.Login, error)
	Search(ctx context.Context, o registries.SearchOptions) ([]registries.Found, error)
	Trust(ctx context.Context, scope string) (transfer.TrustReport, error)
	SetTrust(ctx context.Context, t transfer.Trust) error
}

var _ Engine = (*registries.Service)(nil)

// Deps is what the commands are made with.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (Engine, error)
}

// addFiles adds the flags that say where credentials are.
func addFiles(fs *pflag.FlagSet, o *registries.Options) {
	fs.StringVar(&o.Access.AuthFile, "authfile", "", "Path of the authentication file; $REGISTRY_AUTH_FILE names it too")
	fs.StringVar(&o.Access.CompatAuthFile, "compat-auth-file", "", "Path of an authentication file of docker's format, config.json")
}

// warn tells of a registry that did not answer while others did.
func (d Deps) warn(text string) { _, _ = fmt.Fprintln(d.Streams.Err, text) }

func registryOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
