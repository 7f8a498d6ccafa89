package pulling

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/term"

	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/errs"
)

// chooser asks which of the full names a short one means.
func chooser(s streams.Streams) func(context.Context, string, []string) (string, error) {
	return func(ctx context.Context, name string, candidates []string) (string, error) {
		_, _ = fmt.Fprintf(s.Err, "%q may be one of these images:\n", name)
		for i, c := range candidates {
			_, _ = fmt.Fprintf(s.Err, "  %d  %s\n", i+1, c)
		}
		in := bufio.NewReader(s.In)
		for {
			_, _ = fmt.Fprint(s.Err, "Which one? [1] ")
			line, err := readLine(ctx, in)
			if err != nil {
				return "", err
			}
			if line == "" {
				return candidates[0], nil
			}
			if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(candidates) {
				return candidates[n-1], nil
			}
			_, _ = fmt.Fprintf(s.Err, "A number from 1 to %d.\n", len(candidates))
		}
	}
}

// Credentials reads USERNAME[:PASSWORD] and asks for what is missing, the password without echo.
func Credentials(ctx context.Context, s streams.Streams, text string) (user, password string, err error) {
	user, password, ok := strings.Cut(text, ":")
	if user != "" && ok {
		return user, password, nil
	}
	in, isFile := s.In.(*os.File)
	if !isFile || !s.InIsTerminal() {
		return "", "", errs.Invalid("--creds needs USERNAME:PASSWORD when there is no terminal to ask at")
	}
	if user == "" {
		_, _ = fmt.Fprint(s.Err, "Username: ")
		if user, err = readLine(ctx, bufio.NewReader(s.In)); err != nil {
			return "", "", err
		}
	}
	_, _ = fmt.Fprint(s.Err, "Password: ")
	secret, err := term.ReadPassword(int(in.Fd()))
	_, _ = fmt.Fprintln(s.Err)
	return user, string(secret), err
}

// readLine reads a line as long as ctx lives. What it reads ahead is lost: a terminal gives a line at a time.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // ends with the line, or with the process: a read of a terminal cannot be stopped
		line, err := in.ReadString('\n')
		got <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// existing is the absolute path of a file that must be there.
func existing(path, what string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(full); err != nil {
		return "", errs.NotFound("%s %q cannot be read: no such file", what, path)
	}
	return full, nil
}
