package app

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hull.dev/hull/pkg/errs"
)

// help prints what a command is for and how it is used, in podman's order. cobra's own help would do with a template; this
// is a few lines and needs none.
func help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout() // cobra has no way for the error of a help function
	if cmd.HasParent() {
		_, _ = fmt.Fprintf(w, "%s\n\nDescription:\n  %s\n\n", cmd.Short, indent(describe(cmd)))
	} else {
		_, _ = fmt.Fprintf(w, "%s\n\n", cmd.Long)
	}
	_ = usage(w, cmd)
}

// describe is the long text of a command, or the short one when it has no other.
func describe(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return strings.TrimSpace(cmd.Long)
	}
	return cmd.Short
}

func indent(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") }

// usage prints the usage line, examples, commands and options.
func usage(w io.Writer, cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", useLine(cmd))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases:\n  %s\n", cmd.NameAndAliases())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n  %s\n", indent(Examples(cmd)))
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nAvailable Commands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s %s\n", cmd.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	if flags := Options(cmd); flags.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nOptions:\n%s", optionLines(flags))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Examples are the examples of a command, a line each, with or without the indent that cobra's own help wants of them.
func Examples(cmd *cobra.Command) string {
	var lines []string
	for line := range strings.SplitSeq(strings.Trim(cmd.Example, "\n"), "\n") {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(lines, "\n")
}

// optionLines are the flags in two columns, as podman has them; pflag adds [=true|false] to every switch since 1.1.
func optionLines(flags *pflag.FlagSet) string {
	var left, right []string
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		line := "      --" + f.Name
		if f.Shorthand != "" {
			line = "  -" + f.Shorthand + ", --" + f.Name
		}
		if value != "" {
			line += " " + value
		}
		if f.NoOptDefVal != "" && f.NoOptDefVal != "true" {
			line += "[=" + f.NoOptDefVal + "]"
		}
		if d := Default(f); d != "" {
			text += " (default " + d + ")"
		}
		left, right, width = append(left, line), append(right, text), max(width, len(line))
	})
	var b strings.Builder
	for i := range left {
		text := strings.ReplaceAll(right[i], "\n", "\n"+strings.Repeat(" ", width+3))
		fmt.Fprintf(&b, "%-*s   %s\n", width, left[i], text)
	}
	return b.String()
}

// Default is a flag's default as help writes it, or "" for one that says nothing.
func Default(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "[]", "0", "0s", "<nil>":
		return ""
	}
	if f.Value.Type() == "string" {
		return fmt.Sprintf("%q", f.DefValue)
	}
	return f.DefValue
}

// useLine is the command with what may follow it.
func useLine(cmd *cobra.Command) string {
	switch {
	case !cmd.HasParent():
		return cmd.Use
	case cmd.HasAvailableSubCommands():
		return cmd.CommandPath() + " [command]"
	}
	return cmd.UseLine()
}

// Options are the flags that a command's help lists: the globals at the program alone, and --help nowhere else.
func Options(cmd *cobra.Command) *pflag.FlagSet {
	fs := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	if !cmd.HasParent() {
		fs.AddFlagSet(cmd.PersistentFlags())
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" || !cmd.HasParent() {
			fs.AddFlag(f)
		}
	})
	return fs
}

// newHelp is "hull help COMMAND", which is "hull COMMAND --help".
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:               "help [command]",
		Short:             "Help about any command",
		Long:              "Prints what a command is for and how it is used.",
		Example:           "hull help\nhull help version",
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 || target == nil {
				word := strings.Join(args, " ")
				if readSurface().hasCommand(word) {
					return errs.NotBuilt(quoted(word))
				}
				return unknownWord("", word, readSurface().commands(""))
			}
			return target.Help()
		},
	}
}
