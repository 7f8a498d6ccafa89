package format

import (
	"fmt"
	"slices"
	"sync"

	"hull.dev/hull/cmd/hull/internal/streams"
)

// Progress shows on the error output how far several things are, a line each. On a terminal a line is rewritten as it
// goes on; elsewhere only what is final is printed, so that a log holds each thing once. It may be used by many
// goroutines.
type Progress struct {
	mu    sync.Mutex
	s     streams.Streams
	ids   []string // in the order of their lines
	drawn int      // lines above the cursor that are ours
	lines map[string]string
}

// NewProgress starts with no lines.
func NewProgress(s streams.Streams) *Progress {
	return &Progress{s: s, lines: map[string]string{}}
}

// Set says how far the thing with this id is.
func (p *Progress) Set(id, text string) { p.show(id, text, false) }

// Done sets the final words of the thing.
func (p *Progress) Done(id, text string) { p.show(id, text, true) }

func (p *Progress) show(id, text string, final bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.s.ErrIsTerminal() {
		if final {
			_, _ = fmt.Fprintln(p.s.Err, text) // the work goes on when nobody can watch it
		}
		return
	}
	if !slices.Contains(p.ids, id) {
		p.ids = append(p.ids, id)
	}
	p.lines[id] = text
	p.draw()
}

// draw writes all lines over those of the last time. A line that is wider than the terminal would wrap and break the
// count of lines, so it is cut.
func (p *Progress) draw() {
	out := ""
	if p.drawn > 0 {
		out = fmt.Sprintf("\x1b[%dA", p.drawn)
	}
	width := p.s.Width()
	for _, id := range p.ids {
		line := p.lines[id]
		if width > 0 {
			line = shorten(line, width-1)
		}
		out += "\r\x1b[K" + line + "\n"
	}
	p.drawn = len(p.ids)
	_, _ = fmt.Fprint(p.s.Err, out)
}
