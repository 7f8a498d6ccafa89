package ports

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	copied = 64 << 10 // bytes that are copied at once; where they fill that, what follows is spliced
	small  = 16 << 10 // bytes; a splice of less is followed by copying again, which is cheaper for messages
	turns  = 16       // times that a half copies or splices before other links have their turn
)

// half is one direction of a link. That src has no more is told to dst and nothing else: dst may go on sending.
type half struct {
	src, dst *end
	rest     []byte // was read and not written
	pipe     *pipe  // while bytes are spliced
	held     int    // bytes in the pipe
	bulk     bool   // they are to be spliced
	eof      bool   // src has no more
	done     bool   // and dst was told
}

// errLater says that there is more to move when others had their turn.
var errLater = errors.New("others have their turn")

// errGone says that src had no more, and now takes no more either.
var errGone = errors.New("the end is gone")

func (h *half) move(r *relay) error {
	for range turns {
		if moved, err := h.step(r); err != nil || !moved {
			return err
		}
	}
	return errLater
}

// step does the next thing, unless that would wait.
func (h *half) step(r *relay) (moved bool, err error) {
	full := !h.dst.writable
	switch {
	case h.done && h.src.failed:
		return false, errGone
	case h.done:
		return false, nil
	case len(h.rest) > 0 || h.held > 0:
		if full {
			return false, nil
		}
		return true, h.flush()
	case h.eof:
		h.done = true
		h.giveBack(r)
		return true, unix.Shutdown(h.dst.fd, unix.SHUT_WR)
	case !h.src.readable || full:
		return false, nil
	case h.bulk:
		return true, h.splice(r)
	}
	h.giveBack(r)
	return true, h.copy(r)
}

// flush writes what has been read.
func (h *half) flush() error {
	if len(h.rest) > 0 {
		n, err := h.write(h.rest)
		h.rest = h.rest[n:]
		return err
	}
	n, err := unix.Splice(h.pipe.out, nil, h.dst.fd, nil, h.held, unix.SPLICE_F_NONBLOCK)
	h.held -= int(max(n, 0))
	return h.dst.wrote(err)
}

func (h *half) copy(r *relay) error {
	if r.buf == nil {
		r.buf = make([]byte, copied)
	}
	n, err := unix.Read(h.src.fd, r.buf)
	if n <= 0 {
		return h.nothing(err)
	}
	h.bulk = n == len(r.buf)
	h.src.readable = h.bulk || h.src.last // else all is read, as epoll(7) says of streams, and what comes is news
	written, err := h.write(r.buf[:n])
	h.rest = slices.Clone(r.buf[written:n])
	return err
}

func (h *half) write(data []byte) (n int, err error) {
	n, err = unix.Write(h.dst.fd, data)
	return max(n, 0), h.dst.wrote(err)
}

// wrote takes up what a write said.
func (e *end) wrote(err error) error {
	switch {
	case errors.Is(err, unix.EAGAIN):
		e.writable = false
		return nil
	case errors.Is(err, unix.EINTR):
		return nil
	}
	return err
}

// nothing takes up a read without bytes.
func (h *half) nothing(err error) error {
	switch {
	case errors.Is(err, unix.EAGAIN):
		h.src.readable = false
		return nil
	case errors.Is(err, unix.EINTR):
		return nil
	}
	h.eof = err == nil
	return err
}

func (h *half) splice(r *relay) error {
	if h.pipe == nil {
		p, err := r.pipes.take()
		if err != nil { // no descriptor is left: copying needs none
			return h.copy(r)
		}
		h.pipe = &p
	}
	n, err := unix.Splice(h.src.fd, nil, h.pipe.in, nil, spliced, unix.SPLICE_F_NONBLOCK)
	if n <= 0 {
		return h.nothing(err)
	}
	h.held = int(n)
	h.bulk = n >= small
	return nil
}

// giveBack gives the pipe back, if there is one. One with bytes in it is of no more use.
func (h *half) giveBack(r *relay) {
	switch {
	case h.pipe == nil:
		return
	case h.held > 0:
		h.pipe.close()
	default:
		r.pipes.keep(*h.pipe)
	}
	h.pipe = nil
}
