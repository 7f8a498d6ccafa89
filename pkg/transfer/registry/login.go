package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// credentials does a job on what is stored for a registry.
func credentials(ctx context.Context, r transfer.Request) (transfer.Result, error) {
	sys := system(r.Access)
	sys.DockerAuthConfig = nil // the job is about what the files say
	if r.Op == transfer.OpLogout && r.Login.All {
		return transfer.Result{}, config.RemoveAllAuthentication(sys)
	}
	key, err := registryKey(sys, r.Login.Registry)
	if err != nil {
		return transfer.Result{}, err
	}
	out := transfer.LoginResult{Registry: key}
	switch r.Op {
	case transfer.OpLogout:
		err = logout(sys, key)
	case transfer.OpCredentials:
		out.Username, _, err = stored(sys, key)
	default:
		out.Username = r.Access.User
		out.File, err = login(ctx, sys, key, r)
	}
	return transfer.Result{Login: out}, err
}

// registryKey is the registry as the files of credentials have it.
func registryKey(sys *types.SystemContext, given string) (string, error) {
	key := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(given, "https://"), "http://"), "/")
	if key != "" {
		return key, nil
	}
	places, err := searched(sys)
	if err != nil {
		return "", err
	}
	if len(places) == 0 {
		return "", errs.WithHint(errs.Invalid("no registry is given, and registries.conf names none to search"), "name one: hull login REGISTRY")
	}
	return places[0], nil
}

// builtInSearch is where a name without a registry is looked for on a machine without a registries.conf.
const builtInSearch = "docker.io"

// searched are the registries for names without one: unqualified-search-registries of registries.conf, and on a machine
// that has no such file, the one that everybody means.
func searched(sys *types.SystemContext) ([]string, error) {
	places, err := sysregistriesv2.UnqualifiedSearchRegistries(sys)
	if err != nil || len(places) > 0 {
		return places, err
	}
	if !configured(sys) {
		return []string{builtInSearch}, nil
	}
	return nil, nil
}

func stored(sys *types.SystemContext, key string) (username, password string, err error) {
	c, err := config.GetCredentials(sys, key)
	if err != nil {
		return "", "", fmt.Errorf("read credentials for %q: %w", key, err)
	}
	return c.Username, c.Password, nil
}

// login asks the registry whether it takes the credentials and stores them if it does.
func login(ctx context.Context, sys *types.SystemContext, key string, r transfer.Request) (string, error) {
	username, password := r.Access.User, r.Access.Password
	if r.Login.Stored {
		var err error
		if username, password, err = stored(sys, key); err != nil {
			return "", err
		}
	}
	host, _, _ := strings.Cut(key, "/")
	reach, err := guardedHost(sys, host)
	if err != nil {
		return "", err
	}
	err = docker.CheckAuth(ctx, reach, username, password, host)
	if errors.As(err, new(docker.ErrUnauthorizedForCredentials)) {
		return "", errdefs.ErrPermissionDenied.WithMessage(fmt.Sprintf("log into %q: invalid username/password", key))
	}
	if err != nil {
		return "", reachError(err, "log into %q", key)
	}
	if r.Login.Stored {
		return "", nil
	}
	file, err := config.SetCredentials(sys, key, username, password)
	if err != nil {
		return "", fmt.Errorf("store credentials for %q: %w", key, err)
	}
	return file, nil
}

// reachError is an error on the way to a registry, with the way out where one is known.
func reachError(err error, format string, args ...any) error {
	wrapped := fmt.Errorf(format+": %w", append(args, err)...)
	switch text := err.Error(); {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return errs.WithHint(wrapped, "it speaks no TLS: --tls-verify=false, or insecure = true for it in registries.conf")
	case strings.Contains(text, "x509: "), strings.Contains(text, "tls: "):
		return errs.WithHint(wrapped, "put its certificate authority into certs.d, or --cert-dir names a folder with it")
	}
	return wrapped
}

func logout(sys *types.SystemContext, key string) error {
	err := config.RemoveAuthentication(sys, key)
	if errors.Is(err, config.ErrNotLoggedIn) {
		return notLoggedIn(sys, key)
	}
	if err != nil {
		return fmt.Errorf("forget credentials for %q: %w", key, err)
	}
	return nil
}

// notLoggedIn tells of a registry that nothing is stored for where hull writes; docker may have stored something.
func notLoggedIn(sys *types.SystemContext, key string) error {
	err := errs.NotFound("not logged into %s", key)
	if username, _, readErr := stored(sys, key); readErr == nil && username != "" {
		return errs.WithHint(err, "another tool has stored credentials for it, which docker logout or --authfile reach")
	}
	return err
}
