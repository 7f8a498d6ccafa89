package artifact

import (
	"io"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/pkg/artifacts"
	"hull.dev/hull/pkg/reference"
)

// NewList makes hull artifact ls.
func NewList(d Deps) *cobra.Command {
	var layout string
	var noHeading, noTrunc bool
	cmd := &cobra.Command{
		Use: "ls [options]", Aliases: []string{"list"}, Short: "List OCI artifacts",
		Example: "  hull artifact ls\n  hull artifact ls --noheading --format '{{.Repository}}:{{.Tag}}'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			all, err := e.List(cmd.Context())
			if err != nil {
				return err
			}
			rows := make([]row, 0, len(all))
			for _, a := range all {
				rows = append(rows, row{a, noTrunc})
			}
			if format.IsJSON(layout) {
				return printJSON(d.Streams.Out, rows)
			}
			return format.List(d.Streams, rows, format.Listing{
				Format: layout, NoHeading: noHeading,
				Default: "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.Created}}\t{{.Size}}",
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&layout, "format", "", "Format the output to JSON or a Go template")
	f.BoolVarP(&noHeading, "noheading", "n", false, "Do not print column headings")
	f.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate output")
	return cmd
}

// printJSON prints what the table has, with the size as a number too.
func printJSON(out io.Writer, rows []row) error {
	type line struct {
		Repository, Tag, Digest, Created, Size string
		VirtualSize                            int64
	}
	list := make([]line, 0, len(rows))
	for _, r := range rows {
		list = append(list, line{r.Repository(), r.Tag(), r.Digest(), r.Created(), r.Size(), r.VirtualSize()})
	}
	return format.JSON(out, list, format.IndentList)
}

// row is a line of hull artifact ls.
type row struct {
	artifacts.Artifact
	noTrunc bool
}

const none = "<none>"

func (r row) parts() (repository, tag string) {
	name, err := reference.Parse(r.Name)
	if err != nil {
		return none, none
	}
	tag = name.Tag
	if tag == "" {
		tag = none
	}
	return name.Name(), tag
}

// Repository is the name without its tag, or <none>.
func (r row) Repository() string { repository, _ := r.parts(); return repository }

// Tag is the tag, or <none>.
func (r row) Tag() string { _, tag := r.parts(); return tag }

// Digest is that of the manifest, in short unless --no-trunc.
func (r row) Digest() string {
	if r.noTrunc {
		return r.Artifact.Digest.String()
	}
	return r.Artifact.Digest.Encoded()[:12]
}

// Created is how long ago the artifact was made, as its manifest says; "" when it does not.
func (r row) Created() string {
	at, err := time.Parse(time.RFC3339, r.Manifest.Annotations[v1.AnnotationCreated])
	if err != nil {
		return ""
	}
	return format.Ago(at, time.Now())
}

// Size is the bytes of the files, for people.
func (r row) Size() string { return format.Size(r.Artifact.Size()) }

// VirtualSize is those bytes.
func (r row) VirtualSize() int64 { return r.Artifact.Size() }
