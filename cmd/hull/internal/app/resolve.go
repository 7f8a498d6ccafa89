package app

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/pkg/errs"
)

// resolved says which command a command line is for.
type resolved struct {
	entry entry
	all   bool     // the whole tree is needed: help, completion, or a group that was given no command
	args  []string // the command's words, then all flags and arguments
}

// resolve finds the command words among args. The flags before and between them are globals; they are moved behind the
// words and parsed again with the command's own, in the set that counts.
func (t *tree) resolve(args []string) (resolved, error) {
	scan := newScan()
	var before []string // global flags seen so far
	group := ""
	for {
		rest, err := scan.parse(args)
		if err != nil {
			return resolved{}, flagProblem(err, group, nil)
		}
		before = append(before, args[:len(args)-len(rest)]...)
		if len(rest) == 0 || wholeTree(group, rest[0]) {
			return resolved{all: true, args: slices.Concat(strings.Fields(group), before, rest)}, nil
		}
		word := rest[0]
		args = rest[1:]
		if e, ok := t.find(group, word); ok {
			all := e.name() == "completion"
			return resolved{entry: e, all: all, args: slices.Concat(e.path(), before, args)}, nil
		}
		path := strings.TrimSpace(group + " " + word)
		if !t.isGroup(path) {
			return resolved{}, t.unknown(group, word, args)
		}
		group = path
	}
}

// wholeTree reports whether the word is one of cobra's own commands that look at all others.
func wholeTree(group, word string) bool {
	return group == "" && (word == "help" || word == cobra.ShellCompRequestCmd || word == cobra.ShellCompNoDescRequestCmd)
}

// scan is a flag set of the globals whose values nobody reads.
type scan struct{ *pflag.FlagSet }

func newScan() scan {
	fs := pflag.NewFlagSet(program, pflag.ContinueOnError)
	fs.SetInterspersed(false)
	fs.Usage = func() {}
	new(globals).add(fs)
	fs.BoolP("help", "h", false, "")
	fs.BoolP("version", "v", false, "")
	return scan{fs}
}

// parse reads the flags at the beginning of args and returns what is behind them.
func (s scan) parse(args []string) ([]string, error) {
	err := s.Parse(args)
	return s.Args(), err
}

// unknown is the error for a word that is no command of the group: one that will come, or one that was meant otherwise.
// args is what stands behind it.
func (t *tree) unknown(group, word string, args []string) error {
	list := readSurface()
	path := strings.TrimSpace(group + " " + word)
	if !list.hasCommand(path) {
		return t.unknownIn(list, group, word)
	}
	for list.isGroup(path) {
		// A group of which nothing is built: go on to the command that was asked for, over flags.
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			args = args[1:]
		}
		if len(args) == 0 {
			break
		}
		if !list.hasCommand(path + " " + args[0]) {
			return unknownWord(path, args[0], list.commands(path))
		}
		path, args = path+" "+args[0], args[1:]
	}
	return errs.NotBuilt(quoted(path))
}

// unknownIn is the error for a word that will be no command of the group either.
func (t *tree) unknownIn(list surface, group, word string) error {
	known := list.commands(group)
	for _, e := range t.table {
		if e.group == group {
			known = append(known, strings.Fields(e.names)...)
		}
	}
	return unknownWord(group, word, append(known, "help"))
}

func unknownWord(group, word string, known []string) error {
	err := errs.Invalid("unknown command %s", quoted(strings.TrimSpace(group+" "+word)))
	if near := errs.Nearest(word, known); near != "" {
		return errs.WithHint(err, "did you mean %q?", near)
	}
	return errs.WithHint(err, "%s --help lists the commands", strings.TrimSpace(program+" "+group))
}

func quoted(path string) string { return `"` + program + " " + path + `"` }
