package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode"
	"unicode/utf8"

	"hull.dev/hull/pkg/errs"
)

// parsed is a template that fits the type it will be given.
type parsed struct {
	*template.Template
	isTable bool // has a heading and columns
	ranges  bool // the user wrote {{range .}}: it wants the list and not one object
}

// parseList makes the template of a list whose elements have the type row.
func parseList(text string, row reflect.Type) (*parsed, error) {
	rest, isTable := strings.CutPrefix(text, "table ")
	t, err := compile(normalize(rest, isTable))
	if err != nil {
		return nil, err
	}
	p := &parsed{t, isTable, rangesOverDot(t.Root)}
	if p.ranges {
		row = reflect.SliceOf(row)
	}
	return p, checkFields(t.Root, row)
}

// parseObject makes the template of a single object. "table " means nothing here, as in podman.
func parseObject(text string, object reflect.Type) (*parsed, error) {
	t, err := compile(normalize(strings.TrimPrefix(text, "table "), false))
	if err != nil {
		return nil, err
	}
	return &parsed{t, false, false}, checkFields(t.Root, object)
}

// rangesOverDot reports whether the template begins with {{range .}}, in any of its spellings.
func rangesOverDot(root *parse.ListNode) bool {
	if len(root.Nodes) == 0 {
		return false
	}
	r, ok := root.Nodes[0].(*parse.RangeNode)
	if !ok || len(r.Pipe.Cmds) != 1 || len(r.Pipe.Cmds[0].Args) != 1 {
		return false
	}
	_, ok = r.Pipe.Cmds[0].Args[0].(*parse.DotNode)
	return ok
}

// compile parses text, and falls back to the text as it was written when the replaced escapes broke it: {{printf "\n"}}
// is right in Go and wrong with a line feed in the string.
func compile(text string) (*template.Template, error) {
	t, err := template.New("--format").Funcs(functions()).Parse(unescape(text))
	if err == nil {
		return t, nil
	}
	if t, err := template.New("--format").Funcs(functions()).Parse(text); err == nil {
		return t, nil
	}
	return nil, errs.WithHint(errs.Invalid("%s", strings.TrimPrefix(err.Error(), "template: ")),
		"a template looks like '{{.ID}} {{.Name}}'")
}

// normalize ends the template with a line feed and, in a table, makes a tab of each space outside of braces.
func normalize(text string, isTable bool) string {
	if isTable {
		var b strings.Builder
		depth := 0
		for i := range len(text) {
			switch c := text[i]; {
			case strings.HasPrefix(text[i:], "{{"):
				depth++
				b.WriteByte(c)
			case strings.HasPrefix(text[i:], "}}"):
				depth--
				b.WriteByte(c)
			case c == ' ' && depth <= 0:
				b.WriteByte('\t')
			default:
				b.WriteByte(c)
			}
		}
		text = b.String()
	}
	if !strings.HasSuffix(text, "\n") && !strings.HasSuffix(text, `\n`) {
		text += "\n"
	}
	return text
}

// unescape replaces what a shell's single quotes leave as two characters.
func unescape(text string) string { return strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text) }

// execute runs the template; its error is one for the user.
func (p *parsed) execute(w io.Writer, data any) error {
	err := p.Execute(w, data)
	if _, ok := errors.AsType[template.ExecError](err); ok {
		return errs.Invalid("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return err
}

// heading runs the template over the headings. A template that does with a field what a heading cannot do (a method with
// an argument, a field of a field) gets the heading of the field that each column names first.
func (p *parsed) heading(w io.Writer, headings map[string]string) error {
	var b bytes.Buffer
	if err := p.Execute(&b, headings); err != nil || bytes.Contains(b.Bytes(), []byte("<no value>")) {
		b.Reset()
		for _, n := range p.Root.Nodes {
			switch n := n.(type) {
			case *parse.TextNode:
				b.Write(n.Text)
			case *parse.ActionNode:
				name := firstField(n)
				if h, ok := headings[name]; ok {
					name = h
				}
				b.WriteString(strings.ToUpper(name))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// firstField is the name of the first field in an action, or "".
func firstField(n *parse.ActionNode) string {
	for _, c := range n.Pipe.Cmds {
		for _, a := range c.Args {
			if f, ok := a.(*parse.FieldNode); ok {
				return f.Ident[len(f.Ident)-1]
			}
		}
	}
	return ""
}

// functions are those of podman's templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"join":     strings.Join,
		"json":     toJSON,
		"lower":    strings.ToLower,
		"pad":      pad,
		"split":    strings.Split,
		"title":    title,
		"truncate": truncate,
		"upper":    strings.ToUpper,
	}
}

// toJSON is v on one line.
func toJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

// pad puts spaces around s, none around an empty one.
func pad(s string, before, after int) string {
	if s == "" {
		return s
	}
	return strings.Repeat(" ", max(before, 0)) + s + strings.Repeat(" ", max(after, 0))
}

// truncate is at most the first n letters of s.
func truncate(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// title makes the first letter of each word a capital.
func title(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '\'' || r == utf8.RuneError
		if letter && !inWord {
			r = unicode.ToTitle(r)
		}
		inWord = letter
		b.WriteRune(r)
	}
	return b.String()
}
