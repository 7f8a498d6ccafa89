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
	w := cmd.OutOrStdout()
	if cmd.HasParent() {
		fmt.Fprintf(w, "%s\n\nDescription:\n  %s\n\n", cmd.Short, indent(describe(cmd)))
	} else {
		fmt.Fprintf(w, "%s\n\n", cmd.Long)
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
		fmt.Fprintf(&b, "\nExamples:\n  %s\n", indent(cmd.Example))
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
		fmt.Fprintf(&b, "\nOptions:\n%s", flags.FlagUsages())
	}
	_, err := io.WriteString(w, b.String())
	return err
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
