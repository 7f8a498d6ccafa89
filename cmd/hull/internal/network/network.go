// Package network has the commands of "hull network". Flags, output and exit codes are those of podman-network(1).
package network

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/networks"
	"hull.dev/hull/pkg/errs"
)

// Engine is what the commands need done; the service in libpod/networks does it.
type Engine interface {
	Create(ctx context.Context, o define.NetworkCreateOptions) (define.Network, error)
	List(ctx context.Context, filters []string) ([]define.Network, error)
	Exists(ctx context.Context, ref string) (bool, error)
	Inspect(ctx context.Context, ref string) (define.NetworkInspect, error)
	Remove(ctx context.Context, ref string, o define.NetworkRemoveOptions) error
	Prune(ctx context.Context, filters []string) ([]string, []error)
	Update(ctx context.Context, ref string, o define.NetworkUpdateOptions) error
}

var _ Engine = (*networks.Service)(nil)

// Deps is what the commands are made with.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (Engine, error) // opens on first call; enters the user's namespaces
	Reader  func(context.Context) (Engine, error) // the same, outside of the namespaces
}

// NewInspect makes hull network inspect.
func NewInspect(d Deps) *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use: "inspect [options] NETWORK [NETWORK...]", Short: "Inspect network",
		Long:    "Displays the network configuration for one or more networks, with the containers that run on them.",
		Example: "  hull network inspect backend\n  hull network inspect --format '{{range .Subnets}}{{.Subnet}}{{end}}' backend",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Reader(cmd.Context())
			if err != nil {
				return err
			}
			found := []define.NetworkInspect{}
			var failed []error
			for _, ref := range args {
				one, err := e.Inspect(cmd.Context(), ref)
				if err != nil {
					failed = append(failed, fmt.Errorf("inspecting object: network %s: %w", ref, err))
					continue
				}
				found = append(found, one)
			}
			if err := format.Inspect(d.Streams, found, layout); err != nil {
				return err
			}
			return errors.Join(failed...)
		},
	}
	cmd.Flags().StringVarP(&layout, "format", "f", "", "Pretty-print network to JSON or using a Go template")
	return cmd
}

// NewExists makes hull network exists.
func NewExists(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "exists NETWORK", Short: "Check if network exists",
		Long:    "Check if a network exists: the exit code is 0 when it does, 1 when it does not.",
		Example: "  hull network exists backend || hull network create backend",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Reader(cmd.Context())
			if err != nil {
				return err
			}
			there, err := e.Exists(cmd.Context(), args[0])
			if err == nil && !there {
				err = errs.WithExit(nil, 1)
			}
			return err
		},
	}
}

// NewUpdate makes hull network update.
func NewUpdate(d Deps) *cobra.Command {
	var o define.NetworkUpdateOptions
	cmd := &cobra.Command{
		Use: "update [options] NETWORK", Short: "Update an existing network",
		Long:    "Changes which name servers the network's own asks for names that are no containers'.",
		Example: "  hull network update --dns-add 192.0.2.53 backend\n  hull network update --dns-drop 192.0.2.53 backend",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			if err := e.Update(cmd.Context(), args[0], o); err != nil {
				return err
			}
			_, err = fmt.Fprintln(d.Streams.Out, args[0])
			return err
		},
	}
	lists.CommaVar(cmd.Flags(), &o.AddDNS, "dns-add", "", "Add network level nameservers")
	lists.CommaVar(cmd.Flags(), &o.DropDNS, "dns-drop", "", "Remove network level nameservers")
	return cmd
}
