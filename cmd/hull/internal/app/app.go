// Package app is the hull program as a function: it finds the command that was asked for, makes that one alone, runs it,
// prints the error line and gives the exit code.
//
// All commands together take longer to construct than most of them take to run, so the words of the command are found
// first, by a flag set of the globals that is thrown away (globals.go), and looked up in the table (table.go). Help,
// completion and the man pages make the whole tree. A word or flag that no command has is looked up in surface.tsv, which
// lists everything that hull will have: what is there is "not built yet", anything else gets the nearest right word.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/errs"
)

// program is the name in usage lines and errors.
const program = "hull"

// Main runs the program with args, which do not hold its name, and returns the exit code.
//
// The context of a command ends with SIGINT or SIGTERM; a second signal ends the process. A command that hands signals on
// to a container uses context.WithoutCancel and its own signal.Notify.
func Main(args []string, s streams.Streams) int {
	ctx, stop := withSignals(context.Background()) //nolint:forbidigo // here it begins
	defer stop()
	err := newTree(s).execute(ctx, args)
	if caught, ok := errors.AsType[signalError](context.Cause(ctx)); ok && (errors.Is(err, context.Canceled) || errors.Is(err, caught)) {
		return 128 + int(caught.Signal)
	}
	printError(s.Err, err)
	return errs.Exit(err)
}

// execute finds, makes and runs one command.
func (t *tree) execute(ctx context.Context, args []string) error {
	r, err := t.resolve(args)
	if err != nil {
		return err
	}
	root := t.root()
	if r.all {
		t.addAll(root)
	} else {
		t.add(root, r.entry)
	}
	root.SetArgs(r.args)
	return root.ExecuteContext(ctx)
}

// Tree is the root command with all commands below it, for what describes hull: man pages and completions.
func Tree(s streams.Streams) *cobra.Command {
	t := newTree(s)
	root := t.root()
	t.addAll(root)
	return root
}

// signalError is the reason of a context that a signal ended.
type signalError struct{ syscall.Signal }

func (s signalError) Error() string { return s.String() }

// withSignals returns a context that the first SIGINT or SIGTERM ends. After it the signals have their usual effect.
func withSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case sig := <-caught:
			signal.Stop(caught)
			if sig, ok := sig.(syscall.Signal); ok {
				cancel(signalError{sig})
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(caught); cancel(nil) }
}

// printError writes one line for err: what, then the way out. Errors of several objects, joined, have a line each. A
// silent exit has none.
func printError(w io.Writer, err error) {
	for _, line := range lines(err, "") {
		_, _ = fmt.Fprintln(w, "Error: "+line) // where an error cannot be told, its own cannot either
	}
}

// lines are the error lines of err; hint is that of the errors around it.
func lines(err error, hint string) []string {
	if err == nil || err.Error() == "" {
		return nil
	}
	if h := errs.Hint(err); h != "" {
		hint = h
	}
	for e := err; e != nil && e.Error() == err.Error(); e = errors.Unwrap(e) {
		joined, ok := e.(interface{ Unwrap() []error }) // looks at this link of the chain alone
		if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
			continue
		}
		parts := joined.Unwrap()
		if slices.ContainsFunc(parts, func(part error) bool { return errs.Hint(part) == hint }) {
			hint = "" // it is that part's own
		}
		var all []string
		for _, part := range parts {
			all = append(all, lines(part, hint)...)
		}
		return all
	}
	line := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", " ")), " ")
	if hint != "" {
		line += "; " + hint
	}
	return []string{line}
}
