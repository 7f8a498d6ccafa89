package image

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
)

// listOptions are the flags of hull images.
type listOptions struct {
	define.ImageListOptions
	digests, history, noTrunc, noHeading, quiet bool
	format, sort                                string
}

// sortKeys are what --sort takes.
var sortKeys = []string{"created", "id", "repository", "size", "tag"}

// NewList makes hull image list.
func NewList(d Deps) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use: "list [options] [IMAGE]", Aliases: []string{"ls"}, Short: "List images in local storage",
		Example: "  hull image list\n  hull images --filter dangling=true --quiet",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(o.Filters) > 0 {
				return errs.Invalid("cannot specify an image and a filter(s)")
			}
			if len(args) > 0 {
				o.Filters = []string{"reference=" + args[0]}
			}
			if !slices.Contains(sortKeys, o.sort) {
				return errs.Invalid("%q is not a valid field for sorting. Choose from: %s%s", o.sort, strings.Join(sortKeys, ", "), errs.DidYouMean(o.sort, sortKeys))
			}
			return d.do(cmd.Context(), func(e Engine) error { return d.list(cmd.Context(), e, o) })
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.All, "all", "a", false, "Show all images (default hides intermediate images)")
	lists.Var(f, &o.Filters, "filter", "f", "Filter output based on conditions provided (default [])")
	f.StringVar(&o.format, "format", "", "Change the output format to JSON or a Go template")
	f.BoolVar(&o.digests, "digests", false, "Show digests")
	f.BoolVarP(&o.noHeading, "noheading", "n", false, "Do not print column headings")
	f.BoolVar(&o.noTrunc, "no-trunc", false, "Do not truncate output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Display only image IDs")
	f.StringVar(&o.sort, "sort", "created", "Sort by "+strings.Join(sortKeys, ", "))
	f.BoolVar(&o.history, "history", false, "Display the image name history")
	return cmd
}

// NewImages is NewList under its short name.
func NewImages(d Deps) *cobra.Command {
	cmd := NewList(d)
	cmd.Use, cmd.Aliases = "images [options] [IMAGE]", nil
	return cmd
}

func (d Deps) list(ctx context.Context, e Engine, o listOptions) error {
	found, err := e.List(ctx, o.ImageListOptions)
	if err != nil {
		return err
	}
	rows := rowsOf(found, o)
	switch {
	case format.IsJSON(o.format):
		list := make([]jsonRow, 0, len(rows))
		for _, r := range rows {
			list = append(list, jsonRow{r.ImageSummary, r.ImageSummary.Created.Unix(), r.at().Format(time.RFC3339)})
		}
		return format.JSON(d.Streams.Out, list, format.IndentList)
	case o.quiet:
		seen := map[string]bool{}
		for _, r := range rows {
			if !seen[r.ImageSummary.ID] {
				seen[r.ImageSummary.ID] = true
				if _, err := fmt.Fprintln(d.Streams.Out, r.ID()); err != nil {
					return err
				}
			}
		}
		return nil
	}
	columns := []string{"{{.Repository}}", "{{.Tag}}"}
	if o.digests {
		columns = append(columns, "{{.Digest}}")
	}
	columns = append(columns, "{{.ID}}", "{{.CreatedSince}}", "{{.Size}}")
	if o.history {
		columns = append(columns, "{{.History}}")
	}
	return format.List(d.Streams, rows, format.Listing{
		Format: o.format, Default: "table " + strings.Join(columns, "\t"), NoHeading: o.noHeading,
		Headers: map[string]string{"ID": "IMAGE ID", "CreatedSince": "CREATED"},
	})
}

// jsonRow is a row as --format json has it: the time as a number and as text.
type jsonRow struct {
	define.ImageSummary
	Created   int64
	CreatedAt string
}

// row is one name of an image: an image with three names has three lines.
type row struct {
	define.ImageSummary
	repository, tag string
	noTrunc         bool
}

const none = "<none>"

func rowsOf(found []define.ImageSummary, o listOptions) []row {
	var rows []row
	for _, s := range found {
		if len(s.Names) == 0 {
			rows = append(rows, row{s, none, none, o.noTrunc})
		}
		for _, name := range s.Names {
			i := strings.LastIndexByte(name, ':') // names have a tag, always
			rows = append(rows, row{s, name[:max(i, 0)], name[i+1:], o.noTrunc})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		switch o.sort {
		case "id":
			return cmp.Compare(a.ImageSummary.ID, b.ImageSummary.ID)
		case "repository":
			return cmp.Or(cmp.Compare(a.repository, b.repository), cmp.Compare(a.tag, b.tag))
		case "size":
			return cmp.Compare(a.ImageSummary.Size, b.ImageSummary.Size)
		case "tag":
			return cmp.Compare(a.tag, b.tag)
		}
		return b.ImageSummary.Created.Compare(a.ImageSummary.Created)
	})
	return rows
}

// ID is the id, in short unless --no-trunc.
func (r row) ID() string {
	if r.noTrunc {
		return "sha256:" + r.ImageSummary.ID
	}
	return r.ImageSummary.ID[:12]
}

// Repository is the name without its tag, or <none>.
func (r row) Repository() string { return r.repository }

// Tag is the tag, or <none>.
func (r row) Tag() string { return r.tag }

// Digest is the manifest's, or <none>.
func (r row) Digest() string { return cmp.Or(r.ImageSummary.Digest, none) }

// Created is how long ago the image was made.
func (r row) Created() string { return r.CreatedSince() }

// CreatedSince is how long ago the image was made.
func (r row) CreatedSince() string { return format.Ago(r.ImageSummary.Created, time.Now()) }

// CreatedAt is when the image was made.
func (r row) CreatedAt() string { return r.at().String() }

func (r row) at() time.Time { return r.ImageSummary.Created.UTC().Truncate(time.Second) }

// Size is the size with all layers, for people.
func (r row) Size() string { return format.Size(r.ImageSummary.Size) }

// History is all names that the image has or had.
func (r row) History() string { return cmp.Or(strings.Join(r.ImageSummary.History, ", "), none) }

// RepoTags are the image's names.
func (r row) RepoTags() []string { return r.Names }
