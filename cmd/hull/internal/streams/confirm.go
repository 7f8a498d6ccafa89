package streams

import (
	"bufio"
	"fmt"
	"strings"
)

// Confirm prints a warning and the question whether to go on, and reads a line. Anything but a word with y is no, and so
// is no answer.
func (s Streams) Confirm(warning string) (bool, error) {
	if _, err := fmt.Fprintf(s.Out, "%s\nAre you sure you want to continue? [y/N] ", warning); err != nil {
		return false, err // nobody could read what is asked
	}
	answer, _ := bufio.NewReader(s.In).ReadString('\n')
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y"), nil
}
