package attach

import "hull.dev/hull/conmon/internal/stdio"

// stdin is the way from the clients to the container's stdin, over restarts: between two runs, and before the first, it
// is full, and what a client had sent already waits here.
type stdin struct {
	input *stdio.Input
	open  bool // a process takes input, or will
	early []byte
	ended bool // what came early was all
}

func (s *stdin) write(p []byte) {
	switch {
	case s.input != nil:
		s.input.Write(p)
	case s.open:
		s.early = append(s.early, p...)
	}
}

func (s *stdin) end() {
	if s.input != nil {
		s.input.End()
	} else {
		s.ended = s.open
	}
}

func (s *stdin) full() bool {
	return s.input.Full() || (s.input == nil && s.open)
}

// ExpectInput says that a process will take input; its clients wait until SetInput.
func (h *Hub) ExpectInput() { h.stdin = stdin{open: true, early: h.stdin.early, ended: h.stdin.ended} }

// SetInput connects the clients to the stdin of a process; nil: there is none to come, what they send is thrown away.
func (h *Hub) SetInput(in *stdio.Input) {
	early := h.stdin
	h.stdin = stdin{input: in, open: in != nil}
	if len(early.early) > 0 {
		h.stdin.write(early.early)
	}
	if early.ended {
		h.stdin.end()
	}
	h.InputDrained()
}

// pauseFeeders stops reading from those that send stdin while the container does not take it.
func (h *Hub) pauseFeeders() {
	if !h.stdin.full() {
		return
	}
	for _, c := range h.clients {
		if c.fed && !c.paused {
			c.paused = true
			c.watch()
		}
	}
}

// InputDrained goes on reading from them; not at once, since the caller may be at work on a buffer that reading
// overwrites.
func (h *Hub) InputDrained() {
	if h.resuming {
		return
	}
	h.resuming = true
	h.loop.After(0, h.resumeFeeders)
}

func (h *Hub) resumeFeeders() {
	h.resuming = false
	for _, c := range append([]*client(nil), h.clients...) {
		if h.stdin.full() {
			return
		}
		if !c.paused || c.fd < 0 {
			continue
		}
		c.paused = false
		if c.hung {
			c.hangUp()
		}
		c.watch()
	}
}
