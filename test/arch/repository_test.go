package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var replaces = regexp.MustCompile(`(?m)^\s*replace\b`)

// repository judges the top folder and go.mod.
func (c *court) repository() {
	data, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		c.t.Fatal(err)
	}
	if replaces.Match(data) {
		c.breach("go.mod has a replace", "a replace holds for this module only: who installs hull by its path does not get it")
	}
	for _, name := range c.topFiles() {
		if !strings.HasPrefix(name, ".") && !contains(top, name) {
			c.breach(name+" lies in the top folder", "the top folder has what is listed and nothing else (top)")
		}
	}
}

// topFiles are the names in the top folder that git knows; of a tree without git, all but what make puts there.
func (c *court) topFiles() []string {
	cmd := exec.CommandContext(c.t.Context(), "git", "ls-tree", "--name-only", "HEAD")
	cmd.Dir = repository
	if out, err := cmd.Output(); err == nil {
		return strings.Fields(string(out))
	}
	entries, err := os.ReadDir(repository)
	if err != nil {
		c.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "bin" {
			names = append(names, e.Name())
		}
	}
	return names
}
