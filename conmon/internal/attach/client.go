package attach

import (
	"errors"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// client is one connection: the owner's or an attacher's.
type client struct {
	hub    *Hub
	fd     int // -1: closed
	owner  bool
	wants  protocol.Hello
	hailed bool // it has said what it wants
	stops  bool // it has said NoRestart

	header  [protocol.HeaderSize]byte
	have    int // bytes of header
	frame   protocol.Type
	left    int // bytes of payload to come
	payload []byte

	queue    queue
	events   uint32 // what it is watched for
	watched  bool
	fed      bool // it has sent stdin
	paused   bool // it is not read: the container's stdin is full
	hung     bool // the other side has gone, though not all it sent may have been read
	orderly  bool // it said Detach or Cleaned
	ending   bool // closed once its queue is empty
	tty      terminal
	deaf     bool   // writing to it failed
	overflow []byte // owner only: what its queue could not take
	last     []byte // told when the queue is empty, before the end
}

// watch brings what the loop watches for in line with what the client is doing.
func (c *client) watch() {
	if c.fd < 0 {
		return
	}
	var events uint32
	if !c.paused && !c.hung {
		events |= loop.In
	}
	if !c.queue.empty() {
		events |= loop.Out
	}
	switch {
	case c.hung && events == 0:
		// Level-triggered, a hang-up would be told again and again.
		c.hub.loop.Remove(c.fd)
		c.watched = false
	case !c.watched:
		c.watched = c.hub.loop.Add(c.fd, events, c.ready) == nil
	case events != c.events:
		c.hub.loop.Set(c.fd, events)
	}
	c.events = events
}

func (c *client) ready(events uint32) {
	if events&loop.Out != 0 {
		c.flush()
	}
	if c.fd >= 0 && events&loop.In != 0 && !c.paused {
		c.read()
	}
	if c.fd >= 0 && events&(loop.Hup|loop.Err) != 0 {
		c.hangUp()
	}
	c.watch()
}

// hangUp is the death or the close of the other side. What it sent and was not read yet still counts.
func (c *client) hangUp() {
	if !c.hung {
		c.hung = true
		c.deaf = true
		c.tty.putBack()
		c.queue.close()
	}
	for c.fd >= 0 && !c.paused {
		if !c.read() {
			c.close()
		}
	}
	c.watch()
}

// read takes what has come; false: nothing had.
func (c *client) read() bool {
	buf := c.hub.buffer()
	n, fds, err := stdio.Receive(c.fd, buf)
	c.tty.received(fds)
	if loop.WouldBlock(err) {
		return false
	}
	if n <= 0 {
		c.close()
		return false
	}
	if err := c.parse(buf[:n]); err != nil {
		c.say(protocol.FrameDropped, []byte(err.Error()))
		c.end()
	}
	return true
}

// parse takes frames apart. Stdin goes on piece by piece, other payloads are small and are put together first.
func (c *client) parse(p []byte) error {
	for len(p) > 0 && c.fd >= 0 {
		if c.have < protocol.HeaderSize {
			n := copy(c.header[c.have:], p)
			c.have += n
			p = p[n:]
			if c.have < protocol.HeaderSize {
				return nil
			}
			var err error
			if c.frame, c.left, err = protocol.ParseHeader(c.header[:]); err != nil {
				return err
			}
			c.payload = nil
		}
		n := min(c.left, len(p))
		c.left -= n
		if c.frame == protocol.FrameStdin {
			c.feed(p[:n])
		} else {
			c.payload = append(c.payload, p[:n]...)
		}
		p = p[n:]
		if c.left == 0 {
			c.have = 0
			if err := c.act(); err != nil {
				return err
			}
			c.payload = nil
		}
	}
	return nil
}

var errFrame = errors.New("a frame that does not belong here")

// act carries out one whole frame.
func (c *client) act() error {
	switch c.frame {
	case protocol.FrameRequest:
		if !c.owner || c.hailed {
			return errFrame
		}
		c.hailed = true
		c.wants = c.hub.events.Request(c.payload)
	case protocol.FrameHello:
		hello, err := protocol.ParseHello(c.payload)
		if err != nil || c.hailed {
			return errors.Join(err, errFrame)
		}
		c.hailed, c.wants = true, hello
		c.hub.greet(c)
	case protocol.FrameStdin:
	case protocol.FrameStdinEOF:
		if c.wants.Stdin {
			c.fed = true
			c.hub.stdin.end()
			c.hub.pauseFeeders()
		}
	case protocol.FrameResize:
		size, err := protocol.ParseSize(c.payload)
		if err != nil {
			return err
		}
		c.hub.events.Resize(size)
	case protocol.FrameDetach:
		c.orderly = true
		c.end()
	case protocol.FrameNoRestart:
		c.stops = true
		c.hub.events.NoRestart() // before the answer: who asked kills next
		c.say(protocol.FrameNoRestart, nil)
	case protocol.FrameCleaned:
		c.orderly = true
		if c.owner || c.stops {
			c.hub.events.Cleaned()
		}
	case protocol.FrameTerminal:
		c.tty.saved = c.payload
	case protocol.FrameRestored:
		c.tty.forget()
	default:
		return errFrame
	}
	return nil
}

// feed hands stdin to the container, and stops reading when that is full.
func (c *client) feed(p []byte) {
	if c.wants.Stdin {
		c.fed = true
		c.hub.stdin.write(p)
		c.hub.pauseFeeders()
	}
}

// say queues a frame of the monitor's own.
func (c *client) say(t protocol.Type, payload []byte) {
	c.send(protocol.AppendFrame(nil, t, payload))
}

// send writes a whole frame, or queues what does not go out at once. A client that has left too much unread is dropped;
// the owner is not, it must get all: its frame is kept and the container's output waits until the queue takes it.
//
// It never closes the connection: who sends may be going through the list of clients, or through a buffer that a read
// from this one would overwrite. A connection that cannot be written to is told by the loop as a hang-up.
func (c *client) send(frame []byte) {
	if c.fd < 0 || c.deaf || c.ending {
		return
	}
	if c.queue.empty() {
		n, err := loop.Write(c.fd, frame)
		if err != nil && !loop.WouldBlock(err) {
			c.deaf = true
			return
		}
		frame = frame[n:]
	}
	switch {
	case len(frame) == 0:
		return
	case len(c.overflow) > 0: // keep the order
		c.overflow = append(c.overflow, frame...)
	default:
		c.push(frame)
	}
	c.watch()
}

func (c *client) push(frame []byte) {
	err := c.queue.push(frame)
	switch {
	case err == nil:
	case c.owner:
		c.overflow = append(c.overflow, frame...)
		c.hub.events.Stall(true)
	default:
		c.last = protocol.AppendFrame(nil, protocol.FrameDropped, []byte(err.Error()))
		c.ending = true
	}
}

// flush writes what was queued; called by the loop alone.
func (c *client) flush() {
	if c.queue.flush(c.fd) != nil {
		c.deaf = true
		return
	}
	if c.queue.empty() && len(c.overflow) > 0 {
		c.queue.head, c.overflow = c.overflow, nil // past the file, which may still be unable to grow
		c.hub.events.Stall(false)
	}
	if c.queue.empty() && len(c.last) > 0 {
		c.queue.head, c.last = c.last, nil
	}
	if c.queue.empty() && c.ending {
		c.close()
	}
}

// end closes the connection once the other side has been told all.
func (c *client) end() {
	c.ending = true
	if c.queue.empty() {
		c.close()
	}
}

func (c *client) close() {
	if c.fd < 0 {
		return
	}
	c.hub.loop.Remove(c.fd)
	_ = unix.Close(c.fd)
	c.fd = -1
	c.tty.putBack()
	c.queue.close()
	if len(c.overflow) > 0 {
		c.hub.events.Stall(false)
	}
	c.hub.gone(c)
}
