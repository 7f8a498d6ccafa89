// Package docs makes man pages and shell completions out of the command tree, so that they cannot say anything else than
// --help does. It is not part of hull itself: the program in gen writes the files, and checks that they are up to date.
package docs

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/cmd/hull/internal/app"
)

// ManPages is a page for each command of the tree, by file name: "hull.1", "hull-container-stop.1".
func ManPages(root *cobra.Command) map[string]string {
	pages := map[string]string{}
	var add func(cmd *cobra.Command)
	add = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Deprecated != "" || cmd.Name() == "help" {
			return
		}
		pages[pageName(cmd)+".1"] = manPage(cmd)
		for _, c := range cmd.Commands() {
			add(c)
		}
	}
	add(root)
	return pages
}

// pageName is the command with dashes.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is one page in the macros of man(7). There is no date in it: the same tree makes the same bytes.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".\\\" Made from the command by make docs. Do not change it here.\n")
	fmt.Fprintf(&b, ".TH %s 1 \"\" hull \"User Commands\"\n", strings.ToUpper(escape(pageName(cmd))))
	short := cmd.Short
	if short == "" {
		short = cmd.Long
	}
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(pageName(cmd)), escape(firstLower(short)))
	synopsis(&b, cmd)
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(&b, describe(cmd))
	if flags := app.Options(cmd); flags.HasAvailableFlags() {
		b.WriteString(".SH OPTIONS\n")
		flags.VisitAll(func(f *pflag.Flag) { option(&b, f) })
	}
	children := commands(cmd)
	if len(children) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range children {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", escape(pageName(c)), escape(c.Short))
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", escape(app.Examples(cmd)))
	}
	seeAlso(&b, cmd)
	return b.String()
}

func synopsis(b *strings.Builder, cmd *cobra.Command) {
	b.WriteString(".SH SYNOPSIS\n")
	usage := strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())
	if len(commands(cmd)) > 0 {
		usage = " [options] [command]"
	}
	fmt.Fprintf(b, "\\fB%s\\fR%s\n", escape(cmd.CommandPath()), escape(usage))
	for _, alias := range cmd.Aliases {
		path := strings.TrimSuffix(cmd.CommandPath(), cmd.Name()) + alias
		fmt.Fprintf(b, ".PP\n\\fB%s\\fR%s\n", escape(path), escape(usage))
	}
}

// option is one flag with its value and default.
func option(b *strings.Builder, f *pflag.Flag) {
	if f.Hidden || f.Deprecated != "" {
		return
	}
	value, text := pflag.UnquoteUsage(f)
	b.WriteString(".TP\n")
	if f.Shorthand != "" {
		fmt.Fprintf(b, "\\fB\\-%s\\fR, ", f.Shorthand)
	}
	fmt.Fprintf(b, "\\fB%s\\fR", escape("--"+f.Name))
	if value != "" {
		fmt.Fprintf(b, "=\\fI%s\\fR", escape(value))
	}
	fmt.Fprintf(b, "\n%s\n", escape(text))
	if d := app.Default(f); d != "" {
		fmt.Fprintf(b, "The default is %s.\n", escape(d))
	}
}

// seeAlso names the page above, the pages beside are found from there.
func seeAlso(b *strings.Builder, cmd *cobra.Command) {
	b.WriteString(".SH SEE ALSO\n")
	if cmd.HasParent() {
		fmt.Fprintf(b, ".BR %s (1),\n", escape(pageName(cmd.Parent())))
	}
	b.WriteString(".BR containers.conf (5)\n")
}

// commands are those that help lists.
func commands(cmd *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			list = append(list, c)
		}
	}
	return list
}

// describe is the long text, or the short one.
func describe(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short
}

// paragraphs writes text whose paragraphs have an empty line between them. Lines that begin with a space stay as they are.
func paragraphs(b *strings.Builder, text string) {
	for i, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(p, " ") {
			fmt.Fprintf(b, ".nf\n%s\n.fi\n", escape(p))
			continue
		}
		b.WriteString(escape(p) + "\n")
	}
}

// escape keeps roff from reading text as its own: backslashes, dashes, and a dot or quote at the beginning of a line.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func firstLower(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
