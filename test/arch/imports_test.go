package arch

import (
	"fmt"
	"strings"
)

func roomOf(path string) (room, bool) {
	for _, r := range rooms {
		if below(path, r.path) {
			return r, true
		}
	}
	return room{}, false
}

// imports judges what a package imports itself.
func (c *court) imports(p *listed) {
	r, ok := roomOf(p.path())
	if !ok {
		c.breach(p.path()+" lies in no room", "every package lies in a room of the tree (rooms)")
		return
	}
	for _, path := range p.Imports {
		if where, ruled := onlyIn[path]; ruled && !below(p.path(), where) && !(path == "unsafe" && len(p.CgoFiles) > 0) {
			c.breach(p.path()+" imports "+path, path+" is imported in "+where+" only (onlyIn)")
		}
		ours, ok := strings.CutPrefix(path, module)
		if !ok {
			continue
		}
		switch {
		case r.path == "pkg":
			if !below(ours, "pkg") || !contains(leaves[p.path()], ours) {
				c.breach(p.path()+" imports "+ours, "a leaf imports the leaves that are listed for it, one by one (leaves)")
			}
		case r.path == "libpod":
			c.service(p.path(), ours, r)
		case below(ours, r.path):
		case !below(ours, r.may) || below(ours, r.not):
			c.breach(p.path()+" imports "+ours, fmt.Sprintf("%s may import %q of ours, not %q (rooms)", r.path, r.may, r.not))
		}
	}
}

// service judges an import of the engine or of one of its services.
func (c *court) service(from, to string, r room) {
	if below(to, r.may) && !below(to, r.not) || from == bag && below(to, "libpod") {
		return
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(from, "libpod/"), "/")
	if from != bag && below(to, "libpod/"+name) {
		return // a part of the same service
	}
	law := fmt.Sprintf("a service in %s may import %q, and another service only through an interface of its own (rooms)", r.path, r.may)
	c.breach(from+" imports "+to, law)
}

// reach judges what a package reaches indirectly.
func (c *court) reach(p *listed) {
	if r, ok := roomOf(p.path()); ok && r.never != "" {
		for _, path := range p.Deps {
			if below(path, r.never) {
				c.breach(p.path()+" reaches "+path, r.path+" never reaches "+r.never+" (rooms)")
			}
		}
	}
	for where, modules := range pure {
		if !below(p.path(), where) {
			continue
		}
		for _, path := range p.Deps {
			standard := !strings.Contains(strings.Split(path, "/")[0], ".")
			vendored := strings.HasPrefix(path, "vendor/")
			if !standard && !vendored && !below(path, module+where) && !below(path, modules) {
				c.breach(p.path()+" reaches "+path, fmt.Sprintf("%s reaches the standard library, itself and %q (pure)", where, modules))
			}
		}
	}
}

func contains(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

// leavesInUse keeps the list of the leaves' imports short: what no leaf imports any more has to go from it.
func (c *court) leavesInUse(list []*listed) {
	used := map[string]bool{}
	for _, p := range list {
		for _, path := range p.Imports {
			used[p.path()+" "+strings.TrimPrefix(path, module)] = true
		}
	}
	for leaf, others := range leaves {
		for other := range strings.FieldsSeq(others) {
			if !used[leaf+" "+other] {
				c.breach(leaf+" does not import "+other, "leaves lists what is imported and nothing else")
			}
		}
	}
}

// describe judges what a package calls itself and says of itself.
func (c *court) describe(p *listed) {
	if contains(emptyNames, p.Name) {
		c.breach(p.path()+" is named "+p.Name, "a package is named for what it holds (emptyNames)")
	}
	if p.Doc == "" && len(p.GoFiles)+len(p.CgoFiles) > 0 {
		c.breach(p.path()+" has no package comment", "every package says what it is, why so, and the rules that hold")
	}
}
