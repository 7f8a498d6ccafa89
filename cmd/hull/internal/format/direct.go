package format

import (
	"io"
	"reflect"
	"text/template/parse"
)

// direct is a template as functions, each a piece of its output, where it is nothing but text and fields that are
// strings; nil where it is more. The defaults are such, and text/template takes a microsecond for each field of each row.
func direct[T any](root *parse.ListNode) []func(*T) string {
	var pieces []func(*T) string
	for _, n := range root.Nodes {
		var piece func(*T) string
		switch n := n.(type) {
		case *parse.TextNode:
			text := string(n.Text)
			piece = func(*T) string { return text }
		case *parse.ActionNode:
			piece = accessor[T](lonelyField(n))
		}
		if piece == nil {
			return nil
		}
		pieces = append(pieces, piece)
	}
	return pieces
}

// lonelyField is the name of the field when the action is {{.Name}}, else "".
func lonelyField(n *parse.ActionNode) string {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
		return ""
	}
	f, ok := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(f.Ident) != 1 {
		return ""
	}
	return f.Ident[0]
}

// accessor returns the method or, where there is none, the field of that name when it is a string, else nil.
func accessor[T any](name string) func(*T) string {
	if m, ok := reflect.TypeFor[*T]().MethodByName(name); ok {
		call, _ := m.Func.Interface().(func(*T) string) // the method itself: no reflection when it is called
		return call
	}
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil
	}
	f, ok := t.FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[string]() || len(f.Index) > 1 {
		return nil
	}
	return func(row *T) string { return reflect.ValueOf(row).Elem().Field(f.Index[0]).String() }
}

func writeDirect[T any](w io.Writer, pieces []func(*T) string, rows []T) error {
	for i := range rows {
		for _, piece := range pieces {
			if _, err := io.WriteString(w, piece(&rows[i])); err != nil {
				return err
			}
		}
	}
	return nil
}
