package registry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/spf13/cobra"

	"hull.dev/hull/libpod/registries"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/term"
)

// loginOptions are the flags of login.
type loginOptions struct {
	registries.Options
	passwordStdin, getLogin, verbose, tlsVerify bool
	secret                                      string
}

// NewLogin makes "hull login".
func NewLogin(d Deps) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use: "login [options] [REGISTRY]", Short: "Log in to a container registry",
		Example: "  hull login quay.io\n  hull login --username me --password-stdin registry.example.com < token\n  hull login --get-login quay.io",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Registry = registryOf(args)
			if cmd.Flags().Changed("tls-verify") {
				o.Access.TLSVerify = &o.tlsVerify
			}
			return d.login(cmd.Context(), &o)
		},
	}
	fs := cmd.Flags()
	addFiles(fs, &o.Options)
	fs.StringVar(&o.Access.CertDir, "cert-dir", "", "Folder with the certificates of the registry")
	fs.BoolVar(&o.getLogin, "get-login", false, "Print who is logged into the registry")
	fs.StringVarP(&o.Access.Password, "password", "p", "", "Password; others see it among the processes: better --password-stdin")
	fs.BoolVar(&o.passwordStdin, "password-stdin", false, "Take the password from standard input")
	fs.StringVar(&o.secret, "secret", "", "Take the password from a secret")
	fs.BoolVar(&o.tlsVerify, "tls-verify", false, "Require HTTPS and verify certificates (default: as registries.conf says)")
	fs.StringVarP(&o.Access.User, "username", "u", "", "Username")
	fs.BoolVarP(&o.verbose, "verbose", "v", false, "Say which file the credentials are written to")
	return cmd
}

func (d Deps) login(ctx context.Context, o *loginOptions) error {
	switch {
	case o.secret != "":
		return errs.NotBuilt("--secret")
	case o.passwordStdin && o.Access.User == "":
		return errs.Invalid("must provide --username with --password-stdin")
	case o.passwordStdin && o.Access.Password != "":
		return errs.Invalid("can't specify both --password-stdin and --password")
	}
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	if o.passwordStdin {
		if o.Access.Password, err = readSecret(d.Streams.In); err != nil {
			return err
		}
	}
	if o.Access.User == "" || o.Access.Password == "" {
		done, err := d.complete(ctx, e, o)
		if done || err != nil {
			return err
		}
	}
	in, err := e.Login(ctx, o.Options)
	if err != nil {
		return err
	}
	if o.verbose && in.File != "" {
		if _, err := fmt.Fprintln(d.Streams.Out, "Used: ", in.File); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(d.Streams.Out, "Login Succeeded!")
	return err
}

// complete finds the credentials that no flag gave: the stored ones, or those that the user types. It is done when the
// stored ones will do, or were all that was asked for.
func (d Deps) complete(ctx context.Context, e Engine, o *loginOptions) (done bool, err error) {
	stored, err := e.LoggedIn(ctx, o.Options)
	if err != nil {
		return false, err
	}
	o.Registry = stored.Registry
	if o.getLogin {
		if stored.Username == "" {
			return true, errs.WithHint(errs.NotFound("not logged into %s", stored.Registry), "hull login %s", stored.Registry)
		}
		_, err := fmt.Fprintln(d.Streams.Out, stored.Username)
		return true, err
	}
	if stored.Username != "" && o.Access.User == "" && o.Access.Password == "" {
		if _, err := fmt.Fprintln(d.Streams.Out, "Authenticating with existing credentials for "+stored.Registry); err != nil {
			return false, err
		}
		err := e.Check(ctx, o.Options)
		if err == nil {
			_, err = fmt.Fprintln(d.Streams.Out, "Existing credentials are valid. Already logged in to "+stored.Registry)
			return true, err
		}
		if !errdefs.IsPermissionDenied(err) {
			return false, err
		}
		if _, err := fmt.Fprintln(d.Streams.Out, "Existing credentials are invalid, please enter valid username and password"); err != nil {
			return false, err
		}
	}
	return false, d.ask(o, stored.Username)
}

// ask has the user type what is missing.
func (d Deps) ask(o *loginOptions, usual string) error {
	if o.Access.User == "" {
		prompt := "Username: "
		if usual != "" {
			prompt = "Username (" + usual + "): "
		}
		if _, err := fmt.Fprint(d.Streams.Out, prompt); err != nil {
			return err
		}
		line, err := bufio.NewReader(onebyone{d.Streams.In}).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the username: %w", err)
		}
		if o.Access.User = strings.TrimSpace(line); o.Access.User == "" {
			o.Access.User = usual
		}
		if o.Access.User == "" {
			return errs.WithHint(errs.Invalid("there is no username"), "give it with --username")
		}
	}
	if o.Access.Password != "" {
		return nil
	}
	f, ok := d.Streams.In.(*os.File)
	if !ok || !term.IsTerminal(f) {
		return errs.WithHint(errs.Invalid("there is no terminal to ask for the password on"), "give it with --password-stdin")
	}
	if _, err := fmt.Fprint(d.Streams.Out, "Password: "); err != nil {
		return err
	}
	var err error
	o.Access.Password, err = term.ReadPassword(f)
	_, _ = fmt.Fprintln(d.Streams.Out) // the Enter was not echoed
	return err
}

// onebyone reads single bytes, so that what follows a line is left to who reads next.
type onebyone struct{ io.Reader }

func (r onebyone) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// readSecret reads a password from a pipe: all of it but the end of its last line.
func readSecret(in io.Reader) (string, error) {
	const most = 1 << 20
	data, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		return "", errs.Invalid("there is no password on standard input")
	}
	return password, nil
}
