package format

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// Podman's column settings: at least minWidth wide, gap spaces to the next.
const (
	minWidth = 12
	gap      = 2
)

// table collects lines of tab-separated cells and writes them in columns.
type table struct {
	bytes.Buffer
	out   io.Writer
	width int   // of the terminal, 0: do not cut
	cut   []int // columns that may be cut
}

func newTable(out io.Writer) *table { return &table{out: out} }

// Columns writes rows of cells in columns, without a heading of its own.
func Columns(out io.Writer, rows [][]string) error {
	t := newTable(out)
	for _, row := range rows {
		t.WriteString(strings.Join(row, "\t") + "\n")
	}
	return t.flush()
}

// fit allows the columns that show the fields to be cut until the table is not wider than the terminal.
func (t *table) fit(width int, layout string, fields []string) {
	t.width = width
	for i, column := range strings.Split(unescape(strings.TrimPrefix(layout, "table ")), "\t") {
		if name, ok := strings.CutPrefix(column, "{{."); ok && slices.Contains(fields, strings.TrimSuffix(name, "}}")) {
			t.cut = append(t.cut, i)
		}
	}
}

func (t *table) flush() error {
	if t.width > 0 && len(t.cut) > 0 {
		t.narrow()
	}
	w := tabwriter.NewWriter(t.out, minWidth, gap, gap, ' ', 0)
	if _, err := w.Write(t.Bytes()); err != nil {
		return err
	}
	return w.Flush()
}

// narrow cuts the widest of the columns that may be cut, letter by letter, until the lines fit or none is wide.
func (t *table) narrow() {
	var rows [][]string
	for line := range strings.Lines(t.String()) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	widths := columnWidths(rows)
	over := -t.width
	for i, w := range widths {
		if over += w; i < len(widths)-1 {
			over += gap
		}
	}
	for ; over > 0; over-- {
		widest := -1
		for _, c := range t.cut {
			if c < len(widths) && widths[c] > minWidth && (widest < 0 || widths[c] > widths[widest]) {
				widest = c
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	t.Reset()
	for _, row := range rows {
		for _, c := range t.cut {
			if c < len(row) {
				row[c] = shorten(row[c], widths[c])
			}
		}
		t.WriteString(strings.Join(row, "\t") + "\n")
	}
}

// columnWidths is how wide each column will be; the last has no least width, since nothing follows it.
func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			n := utf8.RuneCountInString(cell)
			if i < len(row)-1 {
				n = max(n, minWidth-gap)
			}
			widths[i] = max(widths[i], n)
		}
	}
	return widths
}

// shorten is s, or as much of it as leaves room for a sign that something is missing.
func shorten(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return truncate(s, width-1) + "…"
}

// headings are the columns' names: the field's name in words, or what the command calls it, in capitals.
func headings(t reflect.Type, own map[string]string) map[string]string {
	h := map[string]string{}
	for _, name := range members(t) {
		h[name] = strings.ToUpper(words(name))
	}
	for name, heading := range own {
		h[name] = strings.ToUpper(heading)
	}
	return h
}

// words splits a Go name at its capitals: "CreatedAt" is "Created At", "PodID" is "Pod ID", "CPUPerc" is
// "CPU Perc".
func words(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && class(r) != class(runes[i-1]) && !(unicode.IsLower(r) && unicode.IsUpper(runes[i-1])) ||
			i > 0 && i+1 < len(runes) && unicode.IsUpper(r) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1]) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// class is what kind of letter r is, for words.
func class(r rune) int {
	switch {
	case unicode.IsLower(r):
		return 1
	case unicode.IsUpper(r):
		return 2
	case unicode.IsDigit(r):
		return 3
	}
	return 4
}
