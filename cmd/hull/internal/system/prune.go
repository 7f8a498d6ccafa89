package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
)

// NewPrune makes "hull system prune".
func NewPrune(d Deps) *cobra.Command {
	var o define.SystemPruneOptions
	var force bool
	cmd := &cobra.Command{
		Use: "prune [options]", Short: "Remove unused data",
		Long: "Removes containers that do not run, networks that no container is on, and images that have no name and that nothing is made\n" +
			"from; with --all every image that no container uses, with --volumes the volumes that none uses. It asks before, and says what is gone and how large that was.",
		Example: "hull system prune\nhull system prune --all --force\nhull system prune --volumes\nhull system prune --force --filter until=72h",
		Args:    noArguments,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !force {
			if yes, err := d.Streams.Confirm(pruneWarning(o)); !yes || err != nil {
				return err
			}
		}
		return runPrune(cmd.Context(), d, o)
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.Volumes, "volumes", false, "Prune volumes")
	fs.BoolVarP(&o.All, "all", "a", false, "Remove all unused data")
	lists.Var(fs, &o.Filters, "filter", "", "Provide filter values (e.g. 'label=<key>=<value>')")
	fs.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}

func pruneWarning(o define.SystemPruneOptions) string {
	images := "all dangling images"
	if o.All {
		images = "all images without at least one container associated with them"
	}
	volumes := ""
	if o.Volumes {
		volumes = "\t- all volumes not used by at least one container\n"
	}
	return "WARNING! This command removes:\n\t- all stopped containers\n\t- all networks not used by at least one container\n" + volumes + "\t- " + images + "\n"
}

func runPrune(ctx context.Context, d Deps, o define.SystemPruneOptions) error {
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	report, failed := e.System.Prune(ctx, o)
	return errors.Join(printPruned(d.Streams.Out, report), failed)
}

func printPruned(w io.Writer, r define.SystemPruneReport) error {
	out := bufio.NewWriter(w) // it keeps the first error for Flush
	for i, c := range r.Containers {
		if i == 0 {
			_, _ = fmt.Fprintln(out, "Deleted Containers")
		}
		_, _ = fmt.Fprintln(out, c.ID)
	}
	for i, v := range r.Volumes {
		if i == 0 {
			_, _ = fmt.Fprintln(out, "Deleted Volumes")
		}
		_, _ = fmt.Fprintln(out, v.Name)
	}
	for i, img := range r.Images {
		if i == 0 {
			_, _ = fmt.Fprintln(out, "Deleted Images")
		}
		_, _ = fmt.Fprintln(out, img.ID)
	}
	for i, name := range r.Networks {
		if i == 0 {
			_, _ = fmt.Fprintln(out, "Deleted Networks")
		}
		_, _ = fmt.Fprintln(out, name)
	}
	_, _ = fmt.Fprintln(out, "Total reclaimed space: "+units.HumanSize(float64(r.Size())))
	return out.Flush()
}
