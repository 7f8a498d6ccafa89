// Package image has the commands on images: those of "hull image" and their short forms (hull load, hull images, hull rmi
// …). Flags, output and exit codes are podman's, as its man pages say and its 4.3.1 does.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/images"
	"hull.dev/hull/pkg/config"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/layers"
)

// Engine is what the commands need done; images.Service does it.
type Engine interface {
	mover
	viewer
	keeper
}

// mover gets images into the store and out of it.
type mover interface {
	Load(ctx context.Context, o images.LoadOptions) ([]string, error)
	Import(ctx context.Context, o images.ImportOptions) (string, error)
	Pull(ctx context.Context, ref string, o images.PullOptions) ([]string, error)
	Save(ctx context.Context, refs []string, o images.SaveOptions) error
	Push(ctx context.Context, ref, destination string, o images.PushOptions) (string, error)
	Sign(ctx context.Context, refs []string, o images.SignOptions) error
}

// viewer tells of what is in the store.
type viewer interface {
	List(ctx context.Context, o define.ImageListOptions) ([]define.ImageSummary, error)
	Inspect(ctx context.Context, ref string) (define.ImageInspect, error)
	History(ctx context.Context, ref string) ([]define.ImageHistoryLayer, error)
	Exists(ctx context.Context, ref string) (bool, error)
	LayerTree(ctx context.Context, ref string, whatRequires bool) (*define.ImageTree, error)
	Diff(ctx context.Context, ref, other string) ([]layers.Change, error)
	Mounts(ctx context.Context) ([]define.ImageMount, error)
}

// keeper changes names and mounts, and removes.
type keeper interface {
	Tag(ctx context.Context, ref string, names []string) error
	Untag(ctx context.Context, ref string, names []string) error
	Remove(ctx context.Context, refs []string, o define.ImageRemoveOptions) ([]define.ImageRemoveReport, []error)
	Prune(ctx context.Context, o define.ImagePruneOptions) ([]define.ImagePruneReport, []error)
	Mount(ctx context.Context, refs []string, o define.ImageMountOptions) ([]define.ImageMount, error)
	Unmount(ctx context.Context, refs []string, o define.ImageMountOptions) ([]string, error)
}

var _ Engine = (*images.Service)(nil)

// Deps is what the commands are made with. Engine is called when a command runs, not for its help.
type Deps struct {
	Streams streams.Streams
	Engine  func(context.Context) (Engine, error)
	Config  func() (*config.Config, error)
	Self    func() ([]string, error) // argv of this program with its global flags
}

// do opens the engine and gives it to fn.
func (d Deps) do(ctx context.Context, fn func(Engine) error) error {
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	return fn(e)
}

// progress prints steps to the error output, or is nil.
func (d Deps) progress(quiet bool) func(string) {
	if quiet {
		return nil
	}
	return func(text string) { _, _ = fmt.Fprintln(d.Streams.Err, text) }
}

// stdin is the standard input for another program, or nil when it is not a file.
func (d Deps) stdin() *os.File {
	f, _ := d.Streams.In.(*os.File)
	return f
}

// NewTag makes hull tag.
func NewTag(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "tag IMAGE TARGET_NAME [TARGET_NAME...]", Short: "Add an additional name to a local image",
		Example: "  hull tag alpine mine:1.0",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.do(cmd.Context(), func(e Engine) error { return e.Tag(cmd.Context(), args[0], args[1:]) })
		},
	}
}

// NewUntag makes hull untag.
func NewUntag(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "untag IMAGE [IMAGE...]", Short: "Remove a name from a local image",
		Example: "  hull untag mine:1.0",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.do(cmd.Context(), func(e Engine) error { return e.Untag(cmd.Context(), args[0], args[1:]) })
		},
	}
}

// NewExists makes hull image exists: exit code 0, or 1 without a word.
func NewExists(d Deps) *cobra.Command {
	return &cobra.Command{
		Use: "exists IMAGE", Short: "Check if an image exists in local storage",
		Example: "  hull image exists alpine || echo missing",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.do(cmd.Context(), func(e Engine) error {
				there, err := e.Exists(cmd.Context(), args[0])
				if err == nil && !there {
					err = errs.WithExit(nil, 1)
				}
				return err
			})
		},
	}
}

// NewRm makes hull rmi and hull image rm.
func NewRm(d Deps) *cobra.Command {
	var o define.ImageRemoveOptions
	cmd := &cobra.Command{
		Use: "rm [options] IMAGE [IMAGE...]", Short: "Remove one or more images from local storage",
		Example: "  hull rmi alpine\n  hull rmi --all --force",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !o.All:
				return errs.WithHint(errs.Invalid("image name or ID must be specified"), "hull rmi --all removes every image")
			case len(args) > 0 && o.All:
				return errs.Invalid("when using the --all switch, you may not pass any images names or IDs")
			}
			return d.do(cmd.Context(), func(e Engine) error { return d.rm(cmd.Context(), e, args, o) })
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.All, "all", "a", false, "Remove all images")
	f.BoolVarP(&o.Force, "force", "f", false, "Force Removal of the image")
	f.BoolVarP(&o.Ignore, "ignore", "i", false, "Ignore errors if a specified image does not exist")
	f.BoolVar(&o.NoPrune, "no-prune", false, "Do not remove dangling images")
	return cmd
}

// NewRmi is NewRm under its short name.
func NewRmi(d Deps) *cobra.Command {
	cmd := NewRm(d)
	cmd.Use = "rmi [options] IMAGE [IMAGE...]"
	return cmd
}

func (d Deps) rm(ctx context.Context, e Engine, refs []string, o define.ImageRemoveOptions) error {
	reports, failed := e.Remove(ctx, refs, o)
	return Removed(d.Streams, reports, failed)
}

// Removed prints what became of images that were to go, and makes one error of those that there were.
func Removed(s streams.Streams, reports []define.ImageRemoveReport, failed []error) error {
	for _, r := range reports {
		for _, name := range r.Untagged {
			if _, err := fmt.Fprintln(s.Out, "Untagged:", name); err != nil {
				failed = append(failed, err)
			}
		}
		if r.Deleted != "" {
			if _, err := fmt.Fprintln(s.Out, "Deleted:", r.Deleted); err != nil {
				failed = append(failed, err)
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	// One that is in use outweighs one that is missing (podman-rmi(1)); any other error is the engine's.
	code := 0
	for _, err := range failed {
		code = max(code, errs.Exit(err))
	}
	return errs.WithExit(errors.Join(failed...), code)
}
