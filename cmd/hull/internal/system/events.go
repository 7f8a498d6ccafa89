package system

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/containers"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/moment"
)

// eventsOptions are the flags of "hull events".
type eventsOptions struct {
	filters              []string
	format, since, until string
	stream, noTrunc      bool
}

// NewEvents makes "hull events".
func NewEvents(d Deps) *cobra.Command {
	o := &eventsOptions{}
	cmd := &cobra.Command{
		Use: "events [options]", Short: "Show hull system events",
		Long: "Prints what happens to containers and images, from now on until it is interrupted. With --since or --until it begins\n" +
			"with what has happened; with --stream=false it ends with that.",
		Example: "hull events\nhull events --since 1h --stream=false\nhull events --filter event=died --format '{{.Name}} {{.ContainerExitCode}}'",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runEvents(cmd.Context(), d, o) },
	}
	fs := cmd.Flags()
	lists.Var(fs, &o.filters, "filter", "f", "Filter output: container, event, image, label, pod, type, volume")
	fs.StringVar(&o.format, "format", "", "Print as JSON lines or by a Go template")
	fs.BoolVar(&o.noTrunc, "no-trunc", true, "Do not truncate the output")
	fs.StringVar(&o.since, "since", "", "Show all events created since TIMESTAMP or a duration ago")
	fs.BoolVar(&o.stream, "stream", true, "Stream events and do not exit when returning the last known event")
	fs.StringVar(&o.until, "until", "", "Show all events until TIMESTAMP or a duration from now on")
	return cmd
}

func runEvents(ctx context.Context, d Deps, o *eventsOptions) (err error) {
	now := time.Now()
	wanted := define.EventsOptions{Filters: o.filters, Follow: o.stream}
	switch {
	case o.since != "":
		if wanted.Since, err = moment.Parse(o.since, now); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	case o.stream && o.until == "":
		wanted.Since = now
	}
	if o.until != "" {
		if wanted.Until, err = containers.ParseUntil(o.until, now); err != nil {
			return fmt.Errorf("--until: %w", err)
		}
	}
	show := func(r eventReport) error {
		_, err := fmt.Fprintln(d.Streams.Out, r.line(!o.noTrunc))
		return err
	}
	if o.format != "" {
		if show, err = format.Printer[eventReport](d.Streams, o.format); err != nil {
			return err
		}
	}
	e, err := d.Reader(ctx)
	if err != nil {
		return err
	}
	return e.System.ReadEvents(ctx, wanted, func(e define.Event) error { return show(report(e)) })
}

// eventReport is an event with the fields and names of podman's JSON.
type eventReport struct {
	ContainerExitCode int    `json:",omitempty"`
	ID                string `json:",omitempty"`
	Image             string `json:",omitempty"`
	Name              string `json:",omitempty"`
	Network           string `json:"network,omitempty"`
	Status            string
	Time              time.Time
	Type              string
	HealthStatus      string `json:"health_status,omitempty"`
	Attributes        map[string]string
}

func report(e define.Event) eventReport {
	r := eventReport{ID: e.ID, Image: e.Image, Name: e.Name, Status: e.Status, Time: e.Time, Type: e.Type, Attributes: e.Attributes}
	if e.Type == "network" {
		r.Name, r.Network = "", e.Name
	}
	if e.ExitCode != nil {
		r.ContainerExitCode = *e.ExitCode
	}
	return r
}

// line is the event as podman prints it.
func (r eventReport) line(short bool) string {
	id := r.ID
	if short {
		id = id[:min(12, len(id))]
	}
	text := fmt.Sprintf("%s %s %s", r.Time, r.Type, r.Status)
	switch r.Type {
	case "container":
		details := []string{"image=" + r.Image, "name=" + r.Name}
		for _, key := range slices.Sorted(maps.Keys(r.Attributes)) {
			details = append(details, key+"="+r.Attributes[key])
		}
		return fmt.Sprintf("%s %s (%s)", text, id, strings.Join(details, ", "))
	case "image":
		return fmt.Sprintf("%s %s %s", text, id, r.Name)
	case "network":
		return fmt.Sprintf("%s %s (name=%s, type=%s)", text, r.ID, r.Network, r.Attributes["driver"])
	case "volume":
		return fmt.Sprintf("%s %s", text, r.Name)
	}
	return text
}
