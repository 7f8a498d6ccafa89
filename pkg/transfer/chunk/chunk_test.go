package chunk

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestFill: a chunk is full, or the reader's own error says why it is not.
func TestFill(t *testing.T) {
	broken := errors.New("broken")
	text := strings.Repeat("x", Size+10)
	for name, c := range map[string]struct {
		r    io.Reader
		n    int
		want error
	}{
		"full":       {strings.NewReader(text), Size, nil},
		"in parts":   {iotest.HalfReader(strings.NewReader(text)), Size, nil},
		"ends":       {strings.NewReader(text[:10]), 10, io.EOF},
		"cut":        {io.MultiReader(strings.NewReader(text[:10]), iotest.ErrReader(io.ErrUnexpectedEOF)), 10, io.ErrUnexpectedEOF},
		"broken":     {iotest.ErrReader(broken), 0, broken},
		"ends at it": {iotest.DataErrReader(strings.NewReader(text[:Size])), Size, io.EOF},
	} {
		buf := New()
		if n, err := Fill(c.r, buf); n != c.n || !errors.Is(err, c.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		Free(buf[:1])
	}
}
