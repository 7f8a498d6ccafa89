package system

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// NewDf makes "hull system df".
func NewDf(d Deps) *cobra.Command {
	var layout string
	var verbose bool
	cmd := &cobra.Command{
		Use: "df [options]", Short: "Show disk usage",
		Long: "Prints how many images, containers and volumes there are, how many of them are in use, the space that they take and how\n" +
			"much of that comes back with what is not in use. Layers that several images have count once. With --verbose each image,\n" +
			"container and volume is a line.",
		Example: "hull system df\nhull system df --verbose\nhull system df --format '{{.Type}}\\t{{.Size}}'",
		Args:    noArguments,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if verbose && cmd.Flags().Changed("format") {
			return errs.Invalid("--format and --verbose cannot be used together")
		}
		return runDf(cmd.Context(), d, layout, verbose)
	}
	fs := cmd.Flags()
	fs.StringVar(&layout, "format", "", "Pretty-print disk usage using a Go template, or JSON")
	fs.BoolVarP(&verbose, "verbose", "v", false, "Show detailed information on disk usage")
	return cmd
}

func runDf(ctx context.Context, d Deps, layout string, verbose bool) error {
	e, err := d.Engine(ctx)
	if err != nil {
		return err
	}
	u, err := e.System.DiskUsage(ctx)
	if err != nil {
		return err
	}
	if verbose {
		return printUsage(d.Streams.Out, u, time.Now())
	}
	return format.List(d.Streams, summary(u), format.Listing{
		Format: layout, Default: "table {{.Type}}\t{{.Total}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
	})
}

// usageRow is one kind of thing, with the fields of podman's JSON.
type usageRow struct {
	Type           string
	Total          int
	Active         int
	RawSize        int64 // bytes
	RawReclaimable int64 // bytes
	TotalCount     int   // as Total
	Size           string
	Reclaimable    string // with the share of Size
}

func newUsageRow(kind string, total, active int, size, reclaimable int64) usageRow {
	percent := 0
	if size > 0 {
		percent = int(float64(reclaimable) / float64(size) * 100)
	}
	return usageRow{
		kind, total, active, size, reclaimable, total, units.HumanSize(float64(size)),
		fmt.Sprintf("%s (%d%%)", units.HumanSize(float64(reclaimable)), percent),
	}
}

func summary(u *define.DiskUsage) []usageRow {
	images := 0
	for _, i := range u.Images {
		images += min(1, i.Containers)
	}
	running, written, idle := 0, int64(0), int64(0)
	for _, c := range u.Containers {
		written += c.Size
		if c.Status.Alive() {
			running++
		} else {
			idle += c.Size
		}
	}
	linked, kept, unused := 0, int64(0), int64(0)
	for _, v := range u.Volumes {
		kept += v.Size
		if v.Links > 0 {
			linked++
		} else {
			unused += v.Size
		}
	}
	return []usageRow{
		newUsageRow("Images", len(u.Images), images, u.ImagesSize, u.ImagesUnused),
		newUsageRow("Containers", len(u.Containers), running, written, idle),
		newUsageRow("Local Volumes", len(u.Volumes), linked, kept, unused),
	}
}

// oneLine keeps a command from breaking its table.
var oneLine = strings.NewReplacer("\n", " ", "\t", " ")

// printUsage prints a table for each kind.
func printUsage(w io.Writer, u *define.DiskUsage, now time.Time) error {
	size := func(n int64) string { return units.HumanSize(float64(n)) }
	images := [][]string{{"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"}}
	for _, i := range u.Images {
		names := i.Names
		if len(names) == 0 {
			names = []string{"<none>:<none>"}
		}
		for _, name := range names {
			at := strings.LastIndexByte(name, ':') // names have a tag, always
			images = append(images, []string{
				name[:at], name[at+1:], short(i.ID), format.Duration(now.Sub(i.Created)), size(i.Size), size(i.SharedSize),
				size(i.Size - i.SharedSize), strconv.Itoa(i.Containers),
			})
		}
	}
	containers := [][]string{{"CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"}}
	for _, c := range u.Containers {
		containers = append(containers, []string{
			short(c.ID), short(c.ImageID), oneLine.Replace(strings.Join(c.Command, " ")), strconv.Itoa(c.Volumes), size(c.Size),
			format.Duration(now.Sub(c.Created)), string(c.Status), c.Name,
		})
	}
	volumes := [][]string{{"VOLUME NAME", "LINKS", "SIZE"}}
	for _, v := range u.Volumes {
		volumes = append(volumes, []string{v.Name, strconv.Itoa(v.Links), size(v.Size)})
	}
	for i, part := range []struct {
		heading string
		rows    [][]string
	}{{"Images", images}, {"Containers", containers}, {"Local Volumes", volumes}} {
		heading := part.heading + " space usage:\n\n"
		if i > 0 {
			heading = "\n" + heading
		}
		if _, err := io.WriteString(w, heading); err != nil {
			return err
		}
		if err := format.Columns(w, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// short is the part of an id that tables show.
func short(id string) string { return id[:min(12, len(id))] }
