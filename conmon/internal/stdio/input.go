package stdio

import (
	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

// Input is the writing end of the container's stdin. What the container has not taken yet is kept here, which is little:
// who feeds it stops while Full says so.
type Input struct {
	loop    *loop.Loop
	fd      int // -1: closed, what comes is thrown away
	pending []byte
	ended   bool
	tty     bool
	drained func()
}

// newInput takes over fd, which does not block. drained is called when Full stops being true.
func newInput(l *loop.Loop, fd int, tty bool, drained func()) (*Input, error) {
	in := &Input{loop: l, fd: fd, tty: tty, drained: drained}
	return in, l.Add(fd, 0, in.ready)
}

// Full reports whether the container has yet to take what it was given.
func (in *Input) Full() bool { return in != nil && len(in.pending) > 0 }

// Write gives the container p, of which nothing is kept by reference.
func (in *Input) Write(p []byte) {
	if in == nil || in.fd < 0 || in.ended {
		return
	}
	if len(in.pending) == 0 {
		n, err := loop.Write(in.fd, p)
		if err != nil && !loop.WouldBlock(err) {
			in.Close()
			return
		}
		p = p[n:]
	}
	if len(p) > 0 {
		in.pending = append(in.pending, p...)
		in.loop.Set(in.fd, loop.Out)
	}
}

// End closes the container's stdin once it has taken what is there. A terminal has no end of input: its user types ^D.
func (in *Input) End() {
	if in == nil || in.tty {
		return
	}
	in.ended = true
	if len(in.pending) == 0 {
		in.Close()
	}
}

// Close closes it at once.
func (in *Input) Close() {
	if in == nil || in.fd < 0 {
		return
	}
	in.loop.Remove(in.fd)
	_ = unix.Close(in.fd)
	in.fd, in.pending = -1, nil
	in.drained()
}

func (in *Input) ready(events uint32) {
	if events&loop.Out != 0 && len(in.pending) > 0 {
		n, err := loop.Write(in.fd, in.pending)
		if err != nil && !loop.WouldBlock(err) {
			in.Close()
			return
		}
		in.pending = in.pending[n:]
		if len(in.pending) > 0 {
			return
		}
		in.pending = nil
		if in.ended {
			in.Close()
			return
		}
		in.loop.Set(in.fd, 0)
		in.drained()
		return
	}
	if events&(loop.Err|loop.Hup) != 0 { // no reader is left
		in.Close()
	}
}
