package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source is a file of a package.
type source struct {
	p    *listed
	path string // in the repository
	fset *token.FileSet
	*ast.File
	test bool
}

// sources judges the text of the files.
func (c *court) sources(list []*listed) {
	for _, p := range list {
		exits := 0
		methods := map[string]int{}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
			data, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				c.t.Fatal(err)
			}
			f := &source{p: p, path: p.path() + "/" + name, fset: token.NewFileSet(), test: strings.HasSuffix(name, "_test.go")}
			if f.File, err = parser.ParseFile(f.fset, name, data, parser.ParseComments); err != nil {
				c.t.Fatal(err)
			}
			if n := codeLines(data); n > maxFileLines {
				c.breach(fmt.Sprintf("%s has %d lines of code", f.path, n), "a file has at most "+strconv.Itoa(maxFileLines)+": split it by subject")
			}
			c.comments(f)
			c.functions(f, methods)
			if !f.test {
				exits += c.calls(f)
				c.unsafeImport(f)
			}
		}
		if exits > 1 || exits > 0 && p.Name != "main" {
			c.breach(fmt.Sprintf("%s calls os.Exit in %d places", p.path(), exits), "only main exits, in one place")
		}
		for name, n := range methods {
			if n > maxMethods {
				c.breach(fmt.Sprintf("%s.%s has %d exported methods", p.path(), name, n), "a service has at most "+strconv.Itoa(maxMethods)+": a larger one has a second subject")
			}
		}
	}
}

// codeLines counts the lines that hold code.
func codeLines(data []byte) int {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(data))
	var s scanner.Scanner
	s.Init(file, data, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		first := file.Line(pos)
		for i := range strings.Count(text, "\n") + 1 {
			if tok != token.SEMICOLON || text == ";" { // not one that the scanner put there
				lines[first+i] = true
			}
		}
	}
}

var todo = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func (c *court) comments(f *source) {
	for _, group := range f.Comments {
		if todo.MatchString(group.Text()) && !strings.Contains(group.Text(), "issue") {
			c.breach(f.path+" has a TODO", "what is left to do is an issue, and the comment names it")
		}
	}
}

// functions judges the functions of a file and counts the exported methods of services.
func (c *court) functions(f *source, methods map[string]int) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		name := f.path + ": " + fn.Name.Name
		if n := f.fset.Position(fn.Body.Rbrace).Line - f.fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
			c.breach(fmt.Sprintf("%s has %d lines", name, n), "a function fits a screen: "+strconv.Itoa(maxFunctionLines)+" lines")
		}
		if fn.Recv == nil && fn.Name.Name == "init" {
			c.breach(f.path+" has an init function", "no init(): every command would pay for it, and tests could not")
		}
		if fn.Recv == nil && fn.Name.Name == "main" && below(f.p.path(), "cmd conmon") && len(fn.Body.List) != 1 {
			c.breach(f.path+": main has several statements", "main is one statement; the program is a function")
		}
		if receiver := receiverName(fn); fn.Name.IsExported() && below(f.p.path(), "libpod") && receiver == "Service" {
			methods[receiver]++
		}
	}
}

func receiverName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	kind := fn.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if id, ok := kind.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// calls judges the uses of functions that one place has, and counts os.Exit.
func (c *court) calls(f *source) (exits int) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || x.Obj != nil { // a variable of that name
			return true
		}
		switch x.Name + "." + sel.Sel.Name {
		case "os.Exit":
			exits++
		case "context.Background", "context.TODO":
			if !below(f.p.path(), "cmd test") {
				c.breach(f.path+" makes a context", "a context is the first argument; cleanup.Context is for undo")
			}
		case "time.Sleep":
			if !below(f.p.path(), "test") {
				c.breach(f.path+" sleeps", "wait for the event, or poll a condition with a deadline")
			}
		}
		return true
	})
	return exits
}

func (c *court) unsafeImport(f *source) {
	for _, i := range f.Imports {
		if i.Path.Value == `"unsafe"` && !strings.HasSuffix(f.path, unsafeFile) {
			c.breach(f.path+" imports unsafe", "unsafe is in files *"+unsafeFile+" only")
		}
	}
}
