package app

import (
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/pkg/errs"
)

// surfaceText lists what hull will have: a line per command, its path, a tab, and its flags separated by spaces, each
// "name" or "name,shorthand". The path of the global flags is "(global)". It is read only when a word or flag is unknown.
//
//go:embed surface.tsv
var surfaceText string

// surface is surfaceText by path.
type surface map[string][]string

func readSurface() surface {
	s := surface{}
	for line := range strings.Lines(surfaceText) {
		path, flags, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		s[path] = strings.Fields(flags)
	}
	return s
}

// canonical is the path as the list has it: podman's aliases are not in the list.
func (s surface) canonical(path string) string {
	if _, ok := s[path]; ok {
		return path
	}
	aliases := map[string][]string{
		"ls": {"list", "ps"}, "list": {"ls", "ps"}, "ps": {"list"}, "remove": {"rm"}, "rm": {"remove"}, "umount": {"unmount"},
		"play": {"kube"}, "builder": {"image"}, "delete": {"rm"},
	}
	words := strings.Fields(path)
	for i := range words {
		for _, other := range aliases[words[i]] {
			try := slices.Clone(words)
			try[i] = other
			if _, ok := s[strings.Join(try, " ")]; ok {
				return strings.Join(try, " ")
			}
		}
	}
	return path
}

func (s surface) hasCommand(path string) bool {
	_, ok := s[s.canonical(path)]
	return ok
}

func (s surface) isGroup(path string) bool { return len(s.commands(s.canonical(path))) > 0 }

// commands are the words that may follow path.
func (s surface) commands(path string) []string {
	var words []string
	for p := range s {
		rest, ok := p, path == ""
		if !ok {
			rest, ok = strings.CutPrefix(p, path+" ")
		}
		if ok && !strings.Contains(rest, " ") && rest != "(global)" {
			words = append(words, rest)
		}
	}
	slices.Sort(words)
	return words
}

// flag is the long name of the flag that path or the program has under this name or shorthand.
func (s surface) flag(path, name string) (string, bool) {
	for _, p := range []string{s.canonical(path), "(global)"} {
		for _, f := range s[p] {
			long, short, _ := strings.Cut(f, ",")
			if name == long || name == short {
				return long, true
			}
		}
	}
	return "", false
}

// flagError is cobra's hook for what is wrong with a command's flags.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	return flagProblem(err, strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), program)), cmd)
}

// flagProblem makes a user's error of a flag set's: a flag that will come, one that was meant otherwise, or pflag's words.
// cmd is nil when the flag stands before the command.
func flagProblem(err error, path string, cmd *cobra.Command) error {
	see := strings.TrimSpace(program+" "+path) + " --help"
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return errs.WithHint(errs.Invalid("%s", err), "see %q", see)
	}
	list := readSurface()
	name := missing.GetSpecifiedName()
	if long, ok := list.flag(path, name); ok {
		return errs.NotBuilt("--" + long)
	}
	known := []string{"help"}
	for _, p := range []string{list.canonical(path), "(global)"} {
		for _, f := range list[p] {
			long, _, _ := strings.Cut(f, ",")
			known = append(known, long)
		}
	}
	if cmd != nil {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	}
	err = errs.Invalid("%s", err)
	if near := errs.Nearest(name, known); near != "" && len(name) > 1 {
		return errs.WithHint(err, `did you mean "--%s"?`, near)
	}
	return errs.WithHint(err, "see %q", see)
}
