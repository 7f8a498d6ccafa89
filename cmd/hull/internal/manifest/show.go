package manifest

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/image"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/cmd/hull/internal/pushing"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// NewInspect makes hull manifest inspect.
func NewInspect(d Deps) *cobra.Command {
	var access pushing.Access
	cmd := &cobra.Command{
		Use: "inspect [options] IMAGE", Short: "Display the contents of a manifest list or image index",
		Example: "  hull manifest inspect localhost/list\n  hull manifest inspect docker://docker.io/library/alpine",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := access.Access(cmd.Context(), d.Streams)
			if err != nil {
				return err
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			data, err := e.ManifestInspect(cmd.Context(), args[0], a)
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := json.Indent(&out, data, "", "    "); err != nil {
				return errs.Invalid("%s: its manifest is damaged: %v", args[0], err)
			}
			out.WriteByte('\n')
			_, err = out.WriteTo(d.Streams.Out)
			return err
		},
	}
	access.AddAuthFile(cmd.Flags())
	access.AddTLSVerify(cmd.Flags())
	return cmd
}

// NewRm makes hull manifest rm.
func NewRm(d Deps) *cobra.Command {
	o := define.ImageRemoveOptions{Force: true}
	cmd := &cobra.Command{
		Use: "rm [options] LIST [LIST...]", Short: "Remove manifest lists or image indexes from local storage",
		Example: "  hull manifest rm mylist:v1.11",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			reports, failed := e.ManifestRm(cmd.Context(), args, o)
			return image.Removed(d.Streams, reports, failed)
		},
	}
	cmd.Flags().BoolVarP(&o.Ignore, "ignore", "i", false, "Ignore errors when a specified list is missing")
	return cmd
}

// formats are what --format of push takes.
var formats = []string{"oci", "v2s2"}

// NewPush makes hull manifest push.
func NewPush(d Deps) *cobra.Command {
	var f pushing.Flags
	cmd := &cobra.Command{
		Use: "push [options] LIST DESTINATION", Short: "Push a manifest list or image index to a registry",
		Example: "  hull manifest push mylist:v1.11 docker://registry.example/team/mylist:v1.11\n  hull manifest push --all=false mylist:v1.11 dir:/tmp/mylist",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.Format != "" && !slices.Contains(formats, f.Format) {
				return errs.Invalid("unknown format %q. Choose one of the supported formats: 'oci' or 'v2s2'", f.Format)
			}
			for _, name := range f.Additional {
				if !slices.Contains(pushing.Compressions(), name) {
					return errs.Invalid("cannot find compressor for %q%s", name, errs.DidYouMean(name, pushing.Compressions()))
				}
			}
			c, err := d.Config()
			if err != nil {
				return err
			}
			o, err := f.Options(cmd.Context(), "hull manifest push", d.Streams, c)
			if err != nil {
				return err
			}
			o.List = true
			destination := ""
			if len(args) == 2 {
				destination = args[1]
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			_, err = e.Push(cmd.Context(), args[0], destination, o)
			return err
		},
	}
	s := cmd.Flags()
	f.Add(s)
	f.AddCompression(s)
	lists.CommaVar(s, &f.Additional, "add-compression", "", "add instances with the selected compression while pushing")
	s.BoolVar(&f.AllImages, "all", true, "also push the images in the list")
	s.StringVarP(&f.Format, "format", "f", "", "manifest type (oci or v2s2) to use when pushing (default is the type of the list)")
	s.BoolVar(&f.RemoveList, "rm", false, "remove the list if push succeeds")
	return cmd
}
