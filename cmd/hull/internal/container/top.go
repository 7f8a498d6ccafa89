package container

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/pkg/errs"
)

// NewTop makes "hull top".
func NewTop(d Deps) *cobra.Command {
	var p pick
	var list bool
	cmd := &cobra.Command{
		Use: "top [options] CONTAINER [FORMAT-DESCRIPTORS|ARGS...]", Short: "Display the running processes of a container",
		Long: "Prints the processes of a container in the columns that the descriptors name, one word each or with commas between:\n" +
			strings.Join(containers.TopDescriptors(), ", ") + "\n" +
			"and those of ps(1) that begin with %. Any other word, such as -eo or aux, is for the ps in the container, which is run then.",
		Example: "  hull top web\n  hull top web pid seccomp args %C\n  hull top web hpid,huser,comm\n  hull top web -eo pid,comm",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if list {
			_, err := fmt.Fprintln(d.Streams.Out, strings.Join(containers.TopDescriptors(), "\n"))
			return err
		}
		if !p.latest && len(args) == 0 {
			return errs.WithHint(errs.Invalid("you must provide the name or id of a running container"), "hull ps lists those that run")
		}
		ctx := cmd.Context()
		e, err := d.Engine(ctx)
		if err != nil {
			return err
		}
		ref, words, err := p.one(ctx, e, args)
		if err != nil {
			return err
		}
		rows, err := e.Containers.Top(ctx, ref, words)
		if err != nil {
			return err
		}
		return format.Columns(d.Streams.Out, rows)
	}
	ownFlags(cmd)
	fs := cmd.Flags()
	p.addLatest(fs)
	fs.BoolVar(&list, "list-descriptors", false, "List the format descriptors")
	_ = fs.MarkHidden("list-descriptors")
	return cmd
}
