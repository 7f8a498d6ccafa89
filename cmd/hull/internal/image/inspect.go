package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/libpod/define"
)

// NewInspect makes hull image inspect.
func NewInspect(d Deps) *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use: "inspect [options] IMAGE [IMAGE...]", Short: "Display the configuration of an image",
		Long: "Prints what is known of images: those of the local storage, and those elsewhere that are named with their transport\n" +
			"(docker://, oci:, dir:, docker-archive: and others), which are not pulled for it.",
		Example: "  hull image inspect alpine\n  hull image inspect --format '{{.Config.Cmd}}' alpine\n  hull image inspect docker://quay.io/team/tool:1",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.do(cmd.Context(), func(e Engine) error { return d.inspect(cmd.Context(), e, args, layout) })
		},
	}
	cmd.Flags().StringVarP(&layout, "format", "f", "json", "Format the output to a Go template or json")
	return cmd
}

// inspect prints those that are there, then tells about the others.
func (d Deps) inspect(ctx context.Context, e Engine, refs []string, layout string) error {
	found := []define.ImageInspect{}
	var failed []error
	for _, ref := range refs {
		one, err := e.Inspect(ctx, ref)
		if err != nil {
			failed = append(failed, fmt.Errorf("inspecting object: %w", err))
			continue
		}
		found = append(found, one)
	}
	// podman takes .Id for .ID, as its JSON spells it.
	if err := format.Inspect(d.Streams, found, strings.ReplaceAll(layout, ".Id", ".ID")); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// historyOptions are the flags of hull history.
type historyOptions struct {
	format                string
	human, noTrunc, quiet bool
}

// NewHistory makes hull history and hull image history.
func NewHistory(d Deps) *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use: "history [options] IMAGE", Short: "Show history of a specified image",
		Example: "  hull history alpine\n  hull history --no-trunc --format json alpine",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.do(cmd.Context(), func(e Engine) error {
				steps, err := e.History(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return d.history(steps, o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "Change the output to JSON or a Go template")
	f.BoolVarP(&o.human, "human", "H", true, "Display sizes and dates in human readable format")
	f.BoolVar(&o.noTrunc, "no-trunc", false, "Do not truncate the output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Display the numeric IDs only")
	return cmd
}

func (d Deps) history(steps []define.ImageHistoryLayer, o historyOptions) error {
	rows := make([]step, 0, len(steps))
	for _, s := range steps {
		rows = append(rows, step{s, o})
	}
	switch {
	case format.IsJSON(o.format):
		return d.historyJSON(steps)
	case o.quiet:
		for _, r := range rows {
			if _, err := fmt.Fprintln(d.Streams.Out, r.ID()); err != nil {
				return err
			}
		}
		return nil
	}
	return format.List(d.Streams, rows, format.Listing{
		Format: o.format, Default: "table {{.ID}}\t{{.Created}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
		Headers: map[string]string{"CreatedBy": "CREATED BY"},
	})
}

// historyStep is a step as podman's JSON has it, with the time twice.
type historyStep struct {
	ID        string    `json:"id"`
	CreatedNS time.Time `json:"created"`
	CreatedBy string    `json:"CreatedBy,omitempty"`
	Size      int64     `json:"size"`
	Comment   string    `json:"comment,omitempty"`
	Created   string    `json:"Created"`
}

func (d Deps) historyJSON(steps []define.ImageHistoryLayer) error {
	list := make([]historyStep, 0, len(steps))
	for _, s := range steps {
		list = append(list, historyStep{s.ID, s.Created, s.CreatedBy, s.Size, s.Comment, s.Created.UTC().Format(time.RFC3339)})
	}
	enc := json.NewEncoder(d.Streams.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(list)
}

// step is one line of hull history.
type step struct {
	define.ImageHistoryLayer
	o historyOptions
}

// ID is the image that ends here, in short unless --no-trunc, or <missing>.
func (s step) ID() string {
	if id := s.ImageHistoryLayer.ID; s.o.noTrunc || len(id) <= 12 {
		return id
	}
	return s.ImageHistoryLayer.ID[:12]
}

// Created is when the step was done, in words with --human.
func (s step) Created() string {
	if s.o.human {
		return s.CreatedSince()
	}
	return s.CreatedAt()
}

// CreatedSince is how long ago the step was done.
func (s step) CreatedSince() string { return format.Ago(s.ImageHistoryLayer.Created, time.Now()) }

// CreatedAt is when the step was done.
func (s step) CreatedAt() string { return s.ImageHistoryLayer.Created.UTC().Format(time.RFC3339) }

// CreatedBy is the command, cut to 45 characters unless --no-trunc.
func (s step) CreatedBy() string {
	const width = 45
	if by := s.ImageHistoryLayer.CreatedBy; s.o.noTrunc || len(by) <= width {
		return by
	}
	return s.ImageHistoryLayer.CreatedBy[:width-3] + "..."
}

// Size is the size of the step's layer.
func (s step) Size() string { return format.Size(s.ImageHistoryLayer.Size) }
