// Package arch keeps the laws that the compiler does not: who may import whom, what is used in one room only, how large a
// file may be. law_test.go holds them as data, go list and the parser are the judges, and a breach names the room and the
// law.
//
// Run it with -count=1: go test caches by what the test itself reads, and says "ok (cached)" after a breach elsewhere.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// listed is what is needed of a package in the output of go list -json.
type listed struct {
	ImportPath, Dir, Name, Doc string
	GoFiles, CgoFiles          []string
	TestGoFiles, XTestGoFiles  []string
	Imports, Deps              []string
}

// path is the package's folder in the repository.
func (p *listed) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// repository is the top of the checkout.
const repository = "../.."

// tags are the Makefile's build tags: without them other files are judged than those that are built.
var tags = sync.OnceValues(func() (string, error) {
	data, err := os.ReadFile(filepath.Join(repository, "Makefile"))
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^TAGS\s*:=\s*(\S+)$`).FindSubmatch(data)
	if m == nil {
		return "", errors.New("the Makefile sets no TAGS")
	}
	return string(m[1]), nil
})

// packages are all packages of the module.
func packages(t *testing.T) []*listed {
	t.Helper()
	set, err := tags()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags="+set, "-json=ImportPath,Dir,Name,Doc,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,Deps", "./...")
	cmd.Dir = repository
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var list []*listed
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		switch err := in.Decode(p); {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// below reports whether path is one of the rooms, words apart by spaces, or lies below one.
func below(path, rooms string) bool {
	return slices.ContainsFunc(strings.Fields(rooms), func(r string) bool {
		return path == r || strings.HasPrefix(path, r+"/")
	})
}

// court collects breaches and lets the known ones pass.
type court struct {
	t    *testing.T
	seen map[string]bool
}

func (c *court) breach(what, law string) {
	c.t.Helper()
	c.seen[what] = true
	if _, known := exceptions[what]; !known {
		c.t.Errorf("%s\n\tthe law: %s", what, law)
	}
}

func TestLaws(t *testing.T) {
	c := &court{t, map[string]bool{}}
	list := packages(t)
	for _, p := range list {
		c.imports(p)
		c.reach(p)
		c.describe(p)
	}
	c.leavesInUse(list)
	c.sources(list)
	c.repository()
	for what, why := range exceptions {
		if !c.seen[what] {
			t.Errorf("the exception %q (%s) is no breach any more: take it out", what, why)
		}
	}
}
