package system

import (
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod/define"
)

// NewInfo makes "hull info".
func NewInfo(d Deps) *cobra.Command {
	var layout string
	var debug bool
	cmd := &cobra.Command{
		Use: "info [options]", Short: "Display hull system information",
		Long:    "Prints what hull knows of the machine, of the image storage and of itself, as YAML, as JSON or by a Go template.",
		Example: "hull info\nhull info --format json\nhull info --format '{{.Store.GraphRoot}}'",
		Args:    noArguments,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		e, err := d.Engine(cmd.Context())
		if err != nil {
			return err
		}
		info, err := e.System.Info(cmd.Context(), d.Version())
		switch {
		case err != nil:
			return err
		case layout == "":
			return format.YAML(d.Streams.Out, info)
		case format.IsJSON(layout):
			return format.JSON(d.Streams.Out, info, format.IndentPs)
		}
		return format.Object[*define.Info](d.Streams, info, layout)
	}
	fs := cmd.Flags()
	fs.StringVarP(&layout, "format", "f", "", "Change the output format to JSON or a Go template")
	fs.BoolVarP(&debug, "debug", "D", false, "Ignored: everything is printed anyway")
	_ = fs.MarkHidden("debug")
	return cmd
}
