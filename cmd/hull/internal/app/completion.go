package app

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"hull.dev/hull/pkg/errs"
)

// newCompletion is podman-completion(1).
func newCompletion(d deps) *cobra.Command {
	var file string
	var noDesc bool
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use:       "completion [options] {bash|zsh|fish|powershell}",
		Short:     "Generate shell completions",
		Long:      "Prints a script that makes the shell complete hull's commands, flags and names.",
		Example:   "hull completion bash > /etc/bash_completion.d/hull\nhull completion zsh -f _hull\nhull completion fish --no-desc",
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errs.WithHint(errs.Invalid("completion takes one shell, not %d", len(args)),
					"it is one of bash, zsh, fish, powershell")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var b bytes.Buffer
			if err := Completion(cmd.Root(), args[0], !noDesc, &b); err != nil {
				return err
			}
			if file == "" {
				_, err := d.streams.Out.Write(b.Bytes())
				return err
			}
			return writeFile(file, b.Bytes())
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "Write the script to this file and not to the output")
	cmd.Flags().BoolVar(&noDesc, "no-desc", false, "Complete without descriptions")
	return cmd
}

// Completion writes the shell's completion script for the tree of root.
func Completion(root *cobra.Command, shell string, describe bool, w io.Writer) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, describe)
	case "zsh":
		if describe {
			return root.GenZshCompletion(w)
		}
		return root.GenZshCompletionNoDesc(w)
	case "fish":
		return root.GenFishCompletion(w, describe)
	case "powershell":
		if describe {
			return root.GenPowerShellCompletionWithDesc(w)
		}
		return root.GenPowerShellCompletion(w)
	}
	return errs.WithHint(errs.Invalid("no completion for shell %q", shell), "%s",
		choose(shell, []string{"bash", "zsh", "fish", "powershell"}))
}

// writeFile writes a file of the user's, which others may read: completions are for every user's shell. The path may be a
// device or a link, so it is written in place.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
