// Package manifest has the commands of "hull manifest": lists of images for platforms. Flags, output and exit codes are
// podman's, as its man pages say and its 4.3.1 does.
package manifest

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/pushing"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// Engine is what the commands need done; images.Service does it.
type Engine interface {
	ManifestCreate(ctx context.Context, name string, refs []string, o images.ManifestOptions) (string, error)
	ManifestAdd(ctx context.Context, list string, refs []string, o images.ManifestOptions) (string, error)
	ManifestAddArtifact(ctx context.Context, list string, files []string, a images.ArtifactOptions, o images.ManifestOptions) (string, error)
	ManifestAnnotate(ctx context.Context, list, image string, o images.ManifestOptions) (string, error)
	ManifestRemove(ctx context.Context, list, digest string) (string, error)
	ManifestExists(ctx context.Context, ref string) (bool, error)
	ManifestInspect(ctx context.Context, ref string, a transfer.Access) ([]byte, error)
	ManifestRm(ctx context.Context, refs []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error)
	Push(ctx context.Context, ref, destination string, o images.PushOptions) (string, error)
}

var _ Engine = images.Lists{}

// Deps is what the commands are made with. Engine is called when a command runs, not for its help.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (Engine, error)
	Config  func() (*config.Config, error)
}

// printID prints the id of the list that an act of the engine's changed.
func (d Deps) printID(ctx context.Context, act func(Engine) (string, error)) error {
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	id, err := act(e)
	if err == nil {
		_, err = fmt.Fprintln(d.Streams.Out, id)
	}
	return err
}

// NewCreate makes hull manifest create.
func NewCreate(d Deps) *cobra.Command {
	var o images.ManifestOptions
	var access pushing.Access
	var annotations []string
	cmd := &cobra.Command{
		Use: "create [options] LIST [IMAGE...]", Short: "Create manifest list or image index",
		Example: "  hull manifest create mylist:v1.11\n  hull manifest create mylist:v1.11 localhost/mine:amd64 localhost/mine:arm64\n  hull manifest create --all mylist:v1.11 docker://docker.io/library/busybox",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Index, err = pairs(annotations); err != nil {
				return err
			}
			if o.Access, err = access.Access(cmd.Context(), d.Streams); err != nil {
				return err
			}
			return d.printID(cmd.Context(), func(e Engine) (string, error) { return e.ManifestCreate(cmd.Context(), args[0], args[1:], o) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.All, "all", false, "add all of the lists' images if the images to add are lists")
	f.BoolVarP(&o.Amend, "amend", "a", false, "modify an existing list if one with the desired name already exists")
	lists.Var(f, &annotations, "annotation", "", "set annotations on the new list (KEY=VALUE)")
	access.AddTLSVerify(f)
	return cmd
}

// NewExists makes hull manifest exists: exit code 0, or 1 without a word.
func NewExists(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "exists MANIFEST", Short: "Check if a manifest list exists in local storage",
		Example: "  hull manifest exists mylist:v1.11 || echo missing",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			there, err := e.ManifestExists(cmd.Context(), args[0])
			if err == nil && !there {
				err = errs.WithExit(nil, 1)
			}
			return err
		},
	}
}

// NewRemove makes hull manifest remove.
func NewRemove(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "remove LIST DIGEST", Short: "Remove an image from a manifest list or image index",
		Example: "  hull manifest remove mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.printID(cmd.Context(), func(e Engine) (string, error) { return e.ManifestRemove(cmd.Context(), args[0], args[1]) })
		},
	}
}
