// Package manifest has the commands of "hull manifest": lists of images for platforms. Flags, output and exit codes are
// podman's, as its man pages say and its 4.3.1 does.
package manifest

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	f.StringArrayVar(&annotations, "annotation", nil, "set annotations on the new list (KEY=VALUE)")
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

// entryFlags are what a list says of an image.
type entryFlags struct {
	o           images.ManifestOptions
	annotations []string
}

func (f *entryFlags) add(fs *pflag.FlagSet) {
	e := &f.o.Entry
	fs.StringArrayVar(&f.annotations, "annotation", nil, "set an annotation for the specified image (KEY=VALUE)")
	fs.StringVar(&e.Arch, "arch", "", "override the architecture of the specified image")
	fs.StringSliceVar(&e.Features, "features", nil, "override the features of the specified image")
	fs.StringVar(&e.OS, "os", "", "override the OS of the specified image")
	fs.StringVar(&e.OSVersion, "os-version", "", "override the OS version of the specified image")
	fs.StringVar(&e.Variant, "variant", "", "override the variant of the specified image")
}

// NewAdd makes hull manifest add.
func NewAdd(d Deps) *cobra.Command {
	var f entryFlags
	var access pushing.Access
	cmd := &cobra.Command{
		Use: "add [options] LIST IMAGE [IMAGE...]", Short: "Add images to a manifest list or image index",
		Example: "  hull manifest add mylist:v1.11 localhost/mine:arm64\n  hull manifest add --arch arm64 --variant v8 mylist:v1.11 docker://quay.io/me/mine:arm64",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.o.Annotations, err = pairs(f.annotations); err != nil {
				return err
			}
			if f.o.Access, err = access.Access(cmd.Context(), d.Streams); err != nil {
				return err
			}
			return d.printID(cmd.Context(), func(e Engine) (string, error) { return e.ManifestAdd(cmd.Context(), args[0], args[1:], f.o) })
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	fs.BoolVar(&f.o.All, "all", false, "add all of the list's images if the image is a list")
	access.Add(fs)
	return cmd
}

// NewAnnotate makes hull manifest annotate.
func NewAnnotate(d Deps) *cobra.Command {
	var f entryFlags
	var index bool
	cmd := &cobra.Command{
		Use: "annotate [options] LIST [IMAGE]", Short: "Add or update information about an entry in a manifest list or image index",
		Example: "  hull manifest annotate --annotation left=right mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736\n  hull manifest annotate --index --annotation version=1.11 mylist:v1.11",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := pairs(f.annotations)
			if err != nil {
				return err
			}
			image := ""
			switch {
			case index && (len(args) > 1 || f.o.OfOne()):
				return errs.Invalid("--index is about the list alone: with it there is no image and nothing but --annotation")
			case index:
				f.o.Index = all
			case len(args) < 2:
				return errs.WithHint(errs.Invalid("requires at least 2 arg(s), only received 1"), "--index annotates the list itself")
			default:
				image, f.o.Annotations = args[1], all
			}
			return d.printID(cmd.Context(), func(e Engine) (string, error) { return e.ManifestAnnotate(cmd.Context(), args[0], image, f.o) })
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	fs.BoolVar(&index, "index", false, "apply annotations to the list itself")
	fs.StringSliceVar(&f.o.OSFeatures, "os-features", nil, "override the OS features of the specified image")
	return cmd
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

// pairs reads KEY=VALUE.
func pairs(list []string) (map[string]string, error) {
	var out map[string]string
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, errs.Invalid("no value given for annotation %q: write it KEY=VALUE", text)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = value
	}
	return out, nil
}
