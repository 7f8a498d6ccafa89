// Package registries is the engine's service for what is done to registries themselves: credentials and searches. All
// of it is work of hull-image.
package registries

import (
	"context"
	"os"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// Transfer does jobs that need hull-image; transfer.Client is the one.
type Transfer interface {
	Run(ctx context.Context, r transfer.Request, stdin *os.File, progress func(transfer.Progress)) (transfer.Result, error)
}

// Service has the acts on registries.
type Service struct{ Transfer Transfer }

// Options is a registry and how it is reached. An Access with credentials is only for Login.
type Options struct {
	Registry string // host[:port][/namespace]; "" is the first that registries.conf searches
	Access   transfer.Access
}

// Login is who is logged in where.
type Login struct {
	Registry string
	Username string // "": nobody
	File     string // where Login has written
}

// LoggedIn says who is logged into a registry, by what is stored.
func (s *Service) LoggedIn(ctx context.Context, o Options) (Login, error) {
	return s.run(ctx, transfer.OpCredentials, o, transfer.Login{})
}

// Login has the registry check o.Access.User and Password and stores them. Credentials that it does not take are an
// error of class PermissionDenied, and nothing is stored.
func (s *Service) Login(ctx context.Context, o Options) (Login, error) {
	return s.run(ctx, transfer.OpLogin, o, transfer.Login{})
}

// Check has the registry check the credentials that are stored.
func (s *Service) Check(ctx context.Context, o Options) error {
	_, err := s.run(ctx, transfer.OpLogin, o, transfer.Login{Stored: true})
	return err
}

// Logout forgets the credentials of a registry; with all, of every one. Where none are stored the error is of class
// NotFound.
func (s *Service) Logout(ctx context.Context, o Options, all bool) (Login, error) {
	return s.run(ctx, transfer.OpLogout, o, transfer.Login{All: all})
}

func (s *Service) run(ctx context.Context, op string, o Options, job transfer.Login) (Login, error) {
	if o.Access.AuthFile != "" && o.Access.CompatAuthFile != "" {
		return Login{}, errs.Invalid("--authfile and --compat-auth-file cannot be used together")
	}
	if err := absolute(&o.Access); err != nil {
		return Login{}, err
	}
	job.Registry = o.Registry
	result, err := s.Transfer.Run(ctx, transfer.Request{Op: op, Access: o.Access, Login: job}, nil, nil)
	return Login(result.Login), err
}

// absolute completes the paths of an access, which hull-image reads from another folder. $REGISTRY_AUTH_FILE stands for
// the file that no flag names (podman-login(1)).
func absolute(a *transfer.Access) error {
	if a.AuthFile == "" && a.CompatAuthFile == "" {
		a.AuthFile = os.Getenv("REGISTRY_AUTH_FILE")
	}
	return transfer.Absolute(&a.AuthFile, &a.CompatAuthFile, &a.CertDir)
}
