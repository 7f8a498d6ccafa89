package container

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
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
		return inspect(cmd.Context(), d, &p, args, inspectOptions{format: text, size: size})
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
	kind   string                                                     // all, container, image
	image  func(context.Context, string) (define.ImageInspect, error) // for kinds all and image
}

// NewInspectAny makes "hull inspect", which takes containers and images.
func NewInspectAny(d Deps) *cobra.Command {
	var p pick
	o := inspectOptions{}
	cmd := &cobra.Command{
		Use: "inspect [options] {CONTAINER|IMAGE} [...]", Short: "Display the configuration of object denoted by ID",
		Example: "  hull inspect web\n  hull inspect --type image alpine",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch o.kind {
		case "all", "container", "image":
		case "artifact", "network", "pod", "volume":
			return errs.NotBuilt("--type " + o.kind)
		default:
			return errs.Invalid("--type %q%s: all, container and image are there", o.kind, errs.DidYouMean(o.kind, []string{"all", "container", "image"}))
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
	fs.StringVarP(&o.kind, "type", "t", "all", "Specify inspect-object type")
	p.addLatest(fs)
	return cmd
}

// inspect prints what was found and tells of each that was not.
func inspect(ctx context.Context, d Deps, p *pick, args []string, o inspectOptions) error {
	open := d.Reader
	if o.size || o.kind == "image" {
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
	var containers []*define.ContainerInspect
	var images []define.ImageInspect
	var failed []error
	for _, ref := range refs {
		if o.kind != "image" {
			c, err := e.Containers.Inspect(ctx, ref, o.size)
			if err == nil {
				containers = append(containers, c)
				continue
			}
			if o.image == nil || o.kind == "container" || !errs.IsNotFound(err) {
				failed = append(failed, err)
				continue
			}
		}
		image, err := o.image(ctx, ref)
		switch {
		case err == nil:
			images = append(images, image)
		case errs.IsNotFound(err) && o.kind == "all":
			failed = append(failed, errs.WithHint(errs.NotFound("no such object: %q", ref), "hull ps --all and hull images list what there is"))
		default:
			failed = append(failed, err)
		}
	}
	return errors.Join(printInspected(d, o, containers, images), errors.Join(failed...))
}

func printInspected(d Deps, o inspectOptions, containers []*define.ContainerInspect, images []define.ImageInspect) error {
	o.format = strings.ReplaceAll(o.format, ".Id", ".ID") // podman takes both: its JSON has Id
	switch {
	case len(images) == 0:
		return format.Inspect(d.Streams, containers, o.format)
	case len(containers) == 0:
		return format.Inspect(d.Streams, images, o.format)
	case format.IsJSON(o.format):
		var all []any
		for _, c := range containers {
			all = append(all, c)
		}
		for _, i := range images {
			all = append(all, i)
		}
		return format.JSON(d.Streams.Out, all, format.IndentInspect)
	}
	return errors.Join(format.Inspect(d.Streams, containers, o.format), format.Inspect(d.Streams, images, o.format))
}
