// Package format prints what commands found: tables, the user's --format templates, JSON, sizes, times and progress.
//
// The words and the bytes are podman's: columns are at least 12 wide with two spaces between them, a template that
// begins with "table " has a heading made of the same template, in any other template \t and \n stand for tab and line
// feed and a line feed ends each object. What differs: a field that the objects do not have is an error before anything
// is printed, also when there is no object, and it names the nearest field.
package format

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"hull.dev/hull/cmd/hull/internal/streams"
)

// Indents that podman's commands use for JSON. A program that reads JSON does not care; a person with a diff does.
const (
	IndentPs      = "  "    // ps, pod ps
	IndentList    = "    "  // images, volume ls and the other lists
	IndentInspect = "     " // inspect of anything
)

// Listing is how a list is printed.
type Listing struct {
	Format    string            // the user's --format; "" and "table" are Default
	Default   string            // `table {{.ID}}\t{{.Names}}`
	Headers   map[string]string // heading of a field where it is not the field's name in words
	NoHeading bool              // --noheading
	Fit       []string          // fields of Default that may be cut when the terminal is too narrow for the table
}

// List prints rows. T is a struct (or a pointer to one) whose exported fields and methods are what templates can name.
func List[T any](s streams.Streams, rows []T, l Listing) error {
	if IsJSON(l.Format) {
		if rows == nil {
			rows = []T{}
		}
		return JSON(s.Out, rows, IndentList)
	}
	text, own := l.Format, false
	if text == "" || text == "table" {
		text, own = l.Default, true
	}
	t, err := parseList(text, typeOf[T]())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.Out)
	w := io.Writer(out)
	var tab *table
	if t.isTable {
		tab = newTable(out)
		if own {
			tab.fit(s.Width(), l.Default, l.Fit)
		}
		w = tab
		if !l.NoHeading {
			if err := t.heading(w, headings(typeOf[T](), l.Headers)); err != nil {
				return err
			}
		}
	}
	if err := execute(t, w, rows); err != nil {
		return err
	}
	if tab != nil {
		if err := tab.flush(); err != nil {
			return err
		}
	}
	return out.Flush()
}

// execute runs the template over each row, or over all of them when the user wrote the range.
func execute[T any](t *parsed, w io.Writer, rows []T) error {
	if t.ranges {
		return t.execute(w, rows)
	}
	if pieces := direct[T](t.Root); pieces != nil {
		return writeDirect(w, pieces, rows)
	}
	for i := range rows {
		if err := t.execute(w, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// Object prints one object by the user's --format, which is not empty: "json" or a template.
func Object[T any](s streams.Streams, object T, format string) error {
	if IsJSON(format) {
		return JSON(s.Out, object, IndentList)
	}
	t, err := parseObject(format, typeOf[T]())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.Out)
	if err := t.execute(out, &object); err != nil {
		return err
	}
	return out.Flush()
}

// Printer prints objects that come one by one, each by the template or, with a format that asks for it, as a line of JSON.
// What is wrong with the template is told before the first.
func Printer[T any](s streams.Streams, format string) (func(T) error, error) {
	if IsJSON(format) {
		return func(object T) error { return JSON(s.Out, object, "") }, nil
	}
	t, err := parseObject(format, typeOf[T]())
	if err != nil {
		return nil, err
	}
	return func(object T) error { return t.execute(s.Out, &object) }, nil
}

// Inspect prints objects as the inspect commands do: a JSON array, or the template once for each.
func Inspect[T any](s streams.Streams, objects []T, format string) error {
	if format == "" || IsJSON(format) {
		if objects == nil {
			objects = []T{}
		}
		return JSON(s.Out, objects, IndentInspect)
	}
	return List(s, objects, Listing{Format: format})
}

// IsJSON reports whether a --format asks for JSON of the whole: "json" or "{{json .}}" with any spaces.
func IsJSON(format string) bool {
	f := strings.TrimSpace(format)
	if inner, ok := strings.CutPrefix(f, "{{"); ok {
		inner, ok = strings.CutSuffix(inner, "}}")
		words := strings.Fields(inner)
		return ok && (len(words) == 1 || len(words) == 2 && words[1] == ".") && words[0] == "json"
	}
	return f == "json"
}

// JSON writes v with the indent and a line feed. <, > and & stay as they are, since nobody embeds this in HTML.
func JSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
