package container

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// NewInspect makes "hull container inspect".
func NewInspect(d Deps) *cobra.Command {
	var p pick
	var text string
	var size bool
	cmd := &cobra.Command{
		Use: "inspect [options] CONTAINER [CONTAINER...]", Short: "Display the configuration of a container",
		Example: "  hull container inspect web\n  hull container inspect --format '{{.State.Status}}' web",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return inspect(cmd.Context(), d, &p, args, inspectOptions{format: text, size: size, kind: kindContainer})
	}
	fs := cmd.Flags()
	fs.StringVarP(&text, "format", "f", "json", "Format the output to a Go template or json")
	fs.BoolVarP(&size, "size", "s", false, "Display total file size")
	p.addLatest(fs)
	return cmd
}

type inspectOptions struct {
	format string
	size   bool
	kind   string                                                     // one of inspectKinds
	image  func(context.Context, string) (define.ImageInspect, error) // for kinds all and image
}

// What --type of hull inspect takes; hull container inspect is of the second.
const (
	kindAll       = "all"
	kindContainer = "container"
	kindImage     = "image"
	kindNetwork   = "network"
)

var inspectKinds = []string{kindAll, kindContainer, kindImage, kindNetwork}

// NewInspectAny makes "hull inspect", which takes containers, images and networks.
func NewInspectAny(d Deps) *cobra.Command {
	var p pick
	o := inspectOptions{}
	cmd := &cobra.Command{
		Use: "inspect [options] {CONTAINER|IMAGE|NETWORK} [...]", Short: "Display the configuration of object denoted by ID",
		Example: "  hull inspect web\n  hull inspect --type image alpine",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case slices.Contains(inspectKinds, o.kind):
		case slices.Contains([]string{"artifact", "pod", "volume"}, o.kind):
			return errs.NotBuilt("--type " + o.kind)
		default:
			return errs.WithHint(errs.Invalid("--type %q%s", o.kind, errs.DidYouMean(o.kind, inspectKinds)), "%s are there", strings.Join(inspectKinds, ", "))
		}
		o.image = func(ctx context.Context, ref string) (define.ImageInspect, error) {
			e, err := d.Engine(ctx)
			if err != nil {
				return define.ImageInspect{}, err
			}
			return e.Images.Inspect(ctx, ref)
		}
		return inspect(cmd.Context(), d, &p, args, o)
	}
	fs := cmd.Flags()
	fs.StringVarP(&o.format, "format", "f", "json", "Format the output to a Go template or json")
	fs.BoolVarP(&o.size, "size", "s", false, "Display total file size, for containers")
	fs.StringVarP(&o.kind, "type", "t", kindAll, "Specify inspect-object type")
	p.addLatest(fs)
	return cmd
}

// inspected is what was found, of each kind.
type inspected struct {
	containers []*define.ContainerInspect
	images     []define.ImageInspect
	networks   []define.NetworkInspect
}

// inspect prints what was found and tells of each that was not.
func inspect(ctx context.Context, d Deps, p *pick, args []string, o inspectOptions) error {
	open := d.Reader
	if o.size || o.kind == kindImage {
		open = d.Engine
	}
	e, err := open(ctx)
	if err != nil {
		return err
	}
	refs, err := p.refs(ctx, e, args, nil)
	if err != nil {
		return err
	}
	var found inspected
	var failed []error
	for _, ref := range refs {
		err := found.add(ctx, e, ref, o)
		if errs.IsNotFound(err) && o.kind == kindAll {
			err = errs.WithHint(errs.NotFound("no such object: %q", ref), "hull ps --all, hull images and hull network ls list what there is")
		}
		failed = append(failed, err)
	}
	return errors.Join(found.print(d, o), errors.Join(failed...))
}

// add looks for ref among what is asked for. An object that is there and cannot be shown ends the search.
func (f *inspected) add(ctx context.Context, e *libpod.Engine, ref string, o inspectOptions) error {
	var looks []func() error
	if o.kind == kindAll || o.kind == kindContainer {
		looks = append(looks, func() error {
			c, err := e.Containers.Inspect(ctx, ref, o.size)
			if err == nil {
				f.containers = append(f.containers, c)
			}
			return err
		})
	}
	if o.kind == kindAll || o.kind == kindImage {
		looks = append(looks, func() error {
			image, err := o.image(ctx, ref)
			if err == nil {
				f.images = append(f.images, image)
			}
			return err
		})
	}
	if o.kind == kindAll || o.kind == kindNetwork {
		looks = append(looks, func() error {
			n, err := e.Networks.Inspect(ctx, ref)
			if err == nil {
				f.networks = append(f.networks, n)
			}
			return err
		})
	}
	var err error
	for _, look := range looks {
		if err = look(); !errs.IsNotFound(err) {
			return err
		}
	}
	return err
}

// print prints all of it as one list, by a template each kind for itself.
func (f *inspected) print(d Deps, o inspectOptions) error {
	if format.IsJSON(o.format) {
		all := []any{}
		for _, c := range f.containers {
			all = append(all, c)
		}
		for _, i := range f.images {
			all = append(all, i)
		}
		for _, n := range f.networks {
			all = append(all, n)
		}
		return format.JSON(d.Streams.Out, all, format.IndentInspect)
	}
	layout := strings.ReplaceAll(o.format, ".Id", ".ID") // podman takes both: its JSON has Id
	var failed []error
	if len(f.containers) > 0 || len(f.images)+len(f.networks) == 0 { // a wrong template is told when nothing is there, too
		failed = append(failed, format.Inspect(d.Streams, f.containers, layout))
	}
	if len(f.images) > 0 {
		failed = append(failed, format.Inspect(d.Streams, f.images, layout))
	}
	if len(f.networks) > 0 {
		failed = append(failed, format.Inspect(d.Streams, f.networks, layout))
	}
	return errors.Join(failed...)
}
