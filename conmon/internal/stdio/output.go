package stdio

import (
	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
)

// Stream tells stdout from stderr.
type Stream int

// The streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}

// Room is what a buffer given to a Sink has in front of the bytes: place for a frame's header, so that one write sends
// both.
const Room = 5

const chunk = 32 << 10

// Sink takes what the container wrote: buf[Room:], valid during the call.
type Sink func(s Stream, buf []byte)

// Output is a reading end of the container's stdout or stderr.
type Output struct {
	loop   *loop.Loop
	fd     int // -1: closed
	stream Stream
	set    *Set
	on     bool // watched for input
}

func newOutput(s *Set, fd int, stream Stream) *Output {
	return &Output{loop: s.loop, fd: fd, stream: stream, set: s}
}

// resume begins or goes on to read.
func (o *Output) resume() error {
	if o == nil || o.fd < 0 || o.on {
		return nil
	}
	o.on = true
	return o.loop.Add(o.fd, loop.In, func(uint32) { o.read() })
}

// pause leaves what the container writes in the kernel, which blocks the container when that is full.
func (o *Output) pause() {
	if o == nil || !o.on {
		return
	}
	o.on = false
	o.loop.Remove(o.fd)
}

// read takes one chunk; false: there is no more now.
func (o *Output) read() bool {
	n, err := loop.Read(o.fd, o.set.buf[Room:])
	switch {
	case n > 0:
		o.set.sink(o.stream, o.set.buf[:Room+n])
		return true
	case loop.WouldBlock(err):
		return false
	}
	o.close() // end of file, or EIO: nobody holds the other end of the pty
	return false
}

// drain takes all that is there.
func (o *Output) drain() {
	for o != nil && o.fd >= 0 && o.read() { //nolint:revive // read is the work
	}
}

func (o *Output) close() {
	if o == nil || o.fd < 0 {
		return
	}
	o.pause()
	_ = unix.Close(o.fd)
	o.fd = -1
}
