package format

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"

	"hull.dev/hull/pkg/errs"
)

// typeOf is the type T itself, also when it is an interface.
func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// checker walks a template with the type of the dot and of each variable. A nil type is one that is only known when the
// template runs; nothing under it is checked.
type checker struct {
	vars map[string]reflect.Type
	err  error // the first that was found
}

// checkFields is an error when the template names a field that its object cannot have.
func checkFields(root *parse.ListNode, dot reflect.Type) error {
	c := &checker{vars: map[string]reflect.Type{"$": dot}}
	c.list(root, dot)
	return c.err
}

func (c *checker) list(l *parse.ListNode, dot reflect.Type) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			c.pipe(n.Pipe, dot)
		case *parse.IfNode:
			c.pipe(n.Pipe, dot)
			c.list(n.List, dot)
			c.list(n.ElseList, dot)
		case *parse.WithNode:
			c.list(n.List, c.pipe(n.Pipe, dot))
			c.list(n.ElseList, dot)
		case *parse.RangeNode:
			t := element(c.pipe(n.Pipe, dot))
			for i, v := range n.Pipe.Decl {
				c.vars[v.Ident[0]] = nil
				if i == len(n.Pipe.Decl)-1 {
					c.vars[v.Ident[0]] = t
				}
			}
			c.list(n.List, t)
			c.list(n.ElseList, dot)
		}
	}
}

// pipe checks a pipeline and returns the type of its value.
func (c *checker) pipe(p *parse.PipeNode, dot reflect.Type) reflect.Type {
	if p == nil {
		return nil
	}
	var t reflect.Type
	for _, cmd := range p.Cmds {
		for i, a := range cmd.Args {
			if at := c.value(a, dot); i == 0 {
				t = at
			}
		}
	}
	for _, v := range p.Decl {
		c.vars[v.Ident[0]] = t
	}
	return t
}

func (c *checker) value(n parse.Node, dot reflect.Type) reflect.Type {
	switch n := n.(type) {
	case *parse.DotNode:
		return dot
	case *parse.FieldNode:
		return c.chain(dot, n.Ident)
	case *parse.VariableNode:
		return c.chain(c.vars[n.Ident[0]], n.Ident[1:])
	case *parse.ChainNode:
		return c.chain(c.value(n.Node, dot), n.Field)
	case *parse.PipeNode:
		return c.pipe(n, dot)
	}
	return nil
}

func (c *checker) chain(t reflect.Type, names []string) reflect.Type {
	for _, name := range names {
		if t == nil {
			return nil
		}
		next, ok := member(t, name)
		if !ok {
			c.fail(t, name)
			return nil
		}
		t = next
	}
	return t
}

// fail keeps the first error.
func (c *checker) fail(t reflect.Type, name string) {
	if c.err != nil {
		return
	}
	known := members(t)
	hint := fmt.Sprintf("there are %s", strings.Join(known, ", "))
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else if len(known) == 0 {
		hint = "the value has no fields"
	}
	c.err = errs.WithHint(errs.Invalid("no field %q for --format", name), "%s", hint)
}

// nearest is the field that was meant; the case of letters does not count.
func nearest(name string, known []string) string {
	lower := make([]string, len(known))
	for i, k := range known {
		lower[i] = strings.ToLower(k)
	}
	i := slices.Index(lower, strings.ToLower(name))
	if i < 0 {
		i = slices.Index(lower, errs.Nearest(strings.ToLower(name), lower))
	}
	if i < 0 {
		return ""
	}
	return known[i]
}

// member is the type of t's field or method; ok is false when it has none, and the type nil when only the run will tell.
func member(t reflect.Type, name string) (reflect.Type, bool) {
	for _, recv := range []reflect.Type{t, reflect.PointerTo(t)} {
		if m, ok := recv.MethodByName(name); ok {
			return m.Type.Out(0), true
		}
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		f, ok := t.FieldByName(name)
		return f.Type, ok && f.IsExported()
	case reflect.Map:
		return t.Elem(), true
	case reflect.Interface:
		return nil, true
	}
	return nil, false
}

// members are the names that a template can use with a value of type t, sorted.
func members(t reflect.Type) []string {
	var names []string
	recv := t
	if t.Kind() != reflect.Pointer {
		recv = reflect.PointerTo(t)
	}
	for m := range recv.Methods() {
		if m.Type.NumOut() == 1 || m.Type.NumOut() == 2 {
			names = append(names, m.Name)
		}
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(t) {
			if f.IsExported() && !f.Anonymous {
				names = append(names, f.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// element is what range sets the dot to.
func element(t reflect.Type) reflect.Type {
	if t == nil {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Chan:
		return t.Elem()
	}
	return nil
}
