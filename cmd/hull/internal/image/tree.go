package image

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"hull.dev/hull/libpod/define"
)

// NewTree makes hull image tree.
func NewTree(d Deps) *cobra.Command {
	var whatRequires bool
	cmd := &cobra.Command{
		Use: "tree [options] IMAGE", Short: "Print layer hierarchy of an image in a tree format",
		Example: "  hull image tree alpine\n  hull image tree --whatrequires alpine",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.do(cmd.Context(), func(e Engine) error {
				t, err := e.LayerTree(cmd.Context(), args[0], whatRequires)
				if err != nil {
					return err
				}
				return printTree(d.Streams.Out, t)
			})
		},
	}
	cmd.Flags().BoolVar(&whatRequires, "whatrequires", false, "Show all child images and layers of the specified image")
	return cmd
}

// branch is a line of a tree with the lines below it.
type branch struct {
	text  string
	below []*branch
}

func printTree(w io.Writer, t *define.ImageTree) error {
	out := bufio.NewWriter(w)
	title := "Image Layers"
	if len(t.Layers) == 0 {
		title = "No Image Layers"
	}
	// bufio keeps the first error for Flush.
	_, _ = fmt.Fprintf(out, "Image ID: %s\nTags:     %s\nSize:     %v\n%s\n", t.ID[:12], t.Tags, size(t.Size), title)
	root := new(branch)
	for _, l := range t.Layers {
		grow(root, l)
	}
	root.print(out, "")
	_, _ = fmt.Fprintln(out)
	return out.Flush()
}

// grow adds a layer and those above it: as podman does it, below the layer where it has a twin, else beside it.
func grow(at *branch, l *define.ImageTreeLayer) {
	text := fmt.Sprintf("ID: %s Size: %7v", l.ID[:12], size(l.Size))
	if len(l.Tags) > 0 {
		text += fmt.Sprintf(" Top Layer of: %s", l.Tags)
	}
	own := &branch{text: text}
	at.below = append(at.below, own)
	if !l.Twin {
		own = at
	}
	for _, child := range l.Above {
		grow(own, child)
	}
}

func (b *branch) print(w io.Writer, indent string) {
	for i, child := range b.below {
		mark, next := "├── ", "│   "
		if i == len(b.below)-1 {
			mark, next = "└── ", strings.Repeat(" ", 4)
		}
		_, _ = fmt.Fprintln(w, indent+mark+child.text) // a bufio.Writer
		child.print(w, indent+next)
	}
}

func size(bytes int64) string { return units.HumanSizeWithPrecision(float64(bytes), 4) }
