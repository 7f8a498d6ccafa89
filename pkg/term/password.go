package term

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// ReadPassword reads a line from the terminal f without showing it, and returns it without its end.
func ReadPassword(f *os.File) (password string, err error) {
	err = control(f, func(fd int) error {
		line, err := term.ReadPassword(fd)
		password = string(line)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read a password from %q: %w", f.Name(), err)
	}
	return password, nil
}
