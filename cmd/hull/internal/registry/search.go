package registry

import (
	"strings"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/format"
	"hull.dev/hull/cmd/hull/internal/lists"
	"hull.dev/hull/libpod/registries"
	"hull.dev/hull/pkg/errs"
)

// NewSearch makes "hull search" and "hull image search".
func NewSearch(d Deps) *cobra.Command {
	var o registries.SearchOptions
	var layout, creds string
	var compatible, noTrunc, tlsVerify bool
	cmd := &cobra.Command{
		Use: "search [options] TERM", Short: "Search registry for image",
		Example: "  hull search quay.io/podman\n  hull search --list-tags quay.io/podman/stable\n  hull search --filter is-official --limit 3 alpine",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Term, o.Warn = args[0], d.warn
			if cmd.Flags().Changed("tls-verify") {
				o.Access.TLSVerify = &tlsVerify
			}
			if o.Tags && len(o.Filters) > 0 {
				return errs.Invalid("filters are not applicable to list tags result")
			}
			if creds != "" {
				o.Access.User, o.Access.Password, _ = strings.Cut(creds, ":")
			}
			e, err := d.Engine(cmd.Context())
			if err != nil {
				return err
			}
			found, err := e.Search(cmd.Context(), o)
			if err != nil {
				return err
			}
			return d.printFound(found, o.Tags, printing{layout, compatible, noTrunc})
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Access.AuthFile, "authfile", "", "Path of the authentication file; $REGISTRY_AUTH_FILE names it too")
	fs.StringVar(&o.Access.CertDir, "cert-dir", "", "Folder with the certificates of the registry")
	fs.BoolVar(&compatible, "compatible", false, "List stars, official and automated columns (Docker compatibility)")
	fs.StringVar(&creds, "creds", "", "Credentials (USERNAME:PASSWORD); others see them among the processes: better hull login")
	lists.Var(fs, &o.Filters, "filter", "f", "Filter output based on conditions provided: stars=N, is-official, is-automated")
	fs.StringVar(&layout, "format", "", "Change the output format to JSON or a Go template")
	fs.IntVar(&o.Limit, "limit", 0, "Limit the number of results")
	fs.BoolVar(&o.Tags, "list-tags", false, "List the tags of the repository that TERM names")
	fs.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	fs.BoolVar(&tlsVerify, "tls-verify", true, "Require HTTPS and verify certificates when contacting registries")
	return cmd
}

// printing is how results are shown.
type printing struct {
	format              string
	compatible, noTrunc bool
}

// result is a line, by podman's names.
type result struct {
	Index, Name, Description string
	Stars                    int
	Official, Automated, Tag string
}

// tagList is a repository in the JSON of --list-tags.
type tagList struct {
	Name string
	Tags []string
}

func (d Deps) printFound(found []registries.Found, tags bool, p printing) error {
	rows := make([]result, 0, len(found))
	for _, f := range found {
		rows = append(rows, result{f.Index, f.Name, description(f.Description, p.noTrunc), f.Stars, mark(f.Official), mark(f.Automated), f.Tag})
	}
	if format.IsJSON(p.format) && tags {
		var lists []tagList
		for _, f := range found {
			if len(lists) == 0 || lists[len(lists)-1].Name != f.Name {
				lists = append(lists, tagList{Name: f.Name})
			}
			lists[len(lists)-1].Tags = append(lists[len(lists)-1].Tags, f.Tag)
		}
		return format.JSON(d.Streams.Out, lists, format.IndentList)
	}
	if format.IsJSON(p.format) {
		return format.JSON(d.Streams.Out, rows, format.IndentList)
	}
	if len(rows) == 0 && p.format == "" {
		return nil
	}
	layout := "table {{.Name}}\t{{.Description}}"
	switch {
	case tags:
		layout = "table {{.Name}}\t{{.Tag}}"
	case p.compatible:
		layout += "\t{{.Stars}}\t{{.Official}}\t{{.Automated}}"
	}
	return format.List(d.Streams, rows, format.Listing{Format: p.format, Default: layout})
}

// mark is podman's word for yes.
func mark(yes bool) string {
	if yes {
		return "[OK]"
	}
	return ""
}

// description is a text on one line, shortened unless all of it is wanted.
func description(text string, whole bool) string {
	const most = 44
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); !whole && len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}
