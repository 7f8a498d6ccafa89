package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/pulling"
	"hull.dev/hull/pkg/errs"
)

// pullOptions are what pull has besides the flags that run has too.
type pullOptions struct {
	pulling.Flags
	policy, format string
	allTags, quiet bool
}

// NewPull makes hull pull.
func NewPull(d Deps) *cobra.Command {
	o := &pullOptions{}
	cmd := &cobra.Command{
		Use: "pull [options] IMAGE [IMAGE...]", Short: "Pull an image from a registry",
		Example: "  hull pull alpine\n  hull pull --platform linux/arm64 docker.io/library/alpine:latest\n  hull pull oci-archive:image.tar",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errs.Invalid("requires at least 1 arg(s), only received 0")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			runtime.GOMAXPROCS(1) // it waits for hull-image, and the processors are that one's
			return d.do(cmd.Context(), func(e Engine) error { return d.pull(cmd.Context(), e, args, o) })
		},
	}
	f := cmd.Flags()
	o.Add(f)
	f.BoolVarP(&o.allTags, "all-tags", "a", false, "All tagged images in the repository will be pulled")
	f.StringVar(&o.format, "format", "", `"json" prints each event and the images as lines of JSON`)
	f.StringVar(&o.policy, "policy", "always", `Pull image policy ("always"|"missing"|"never"|"newer")`)
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Suppress output information when pulling images")
	return cmd
}

// pull fetches each image and goes on after one that fails.
func (d Deps) pull(ctx context.Context, e Engine, refs []string, o *pullOptions) error {
	c, err := d.Config()
	if err != nil {
		return err
	}
	options, err := o.Options(ctx, d.Streams, c)
	if err != nil {
		return err
	}
	options.Policy, options.AllTags = o.policy, o.allTags
	switch {
	case o.format != "" && o.format != "json":
		return errs.Invalid("--format %q: json is there", o.format)
	case o.format == "json":
		options.Progress = pulling.JSON(d.Streams)
	case !o.quiet:
		options.Progress = pulling.Progress(d.Streams)
	}
	var failed []error
	for _, ref := range refs {
		ids, err := e.Pull(ctx, ref, options)
		if err == nil {
			err = d.pulled(ref, ids, o.format == "json")
		}
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// pulled prints the ids.
func (d Deps) pulled(ref string, ids []string, asJSON bool) error {
	for _, id := range ids {
		var err error
		if asJSON {
			err = json.NewEncoder(d.Streams.Out).Encode(struct {
				Image     string `json:"image"`
				Reference string `json:"reference"`
			}{id, ref})
		} else {
			_, err = fmt.Fprintln(d.Streams.Out, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
