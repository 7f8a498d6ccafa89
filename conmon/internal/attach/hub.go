// Package attach serves the connections of the owner and of attachers: it hands the container's output to each, and what
// they send to the container. One that reads slowly delays no other and not the container: what it has not read waits in
// a queue of its own, at first in memory, then in a file.
package attach

import (
	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// spillLimit is how much one client may leave unread.
const spillLimit = 4 << 30

// Events is what clients ask of the monitor.
type Events interface {
	// Request is the owner's first frame; it returns what the owner wants to see.
	Request(payload []byte) protocol.Hello
	Resize(size protocol.Size)
	NoRestart()
	Cleaned()
	OwnerGone()
	// StopperGone is the end of the connection of a client that said NoRestart, without Cleaned.
	StopperGone()
	// Stall asks for no more output, or for more again.
	Stall(full bool)
	// PID is what a new attacher is told; 0: there is no process at present.
	PID() int
}

// Hub must be made with New.
type Hub struct {
	loop     *loop.Loop
	events   Events
	stdin    stdin
	clients  []*client
	listener int // 0: none
	read     []byte
	spillDir string
	resuming bool
	limit    int64 // spillLimit, less in tests
}

// New makes a hub with the owner's connection, which must not block.
func New(l *loop.Loop, ownerFD int, events Events) *Hub {
	h := &Hub{loop: l, events: events, limit: spillLimit}
	c := h.add(ownerFD)
	c.owner = true
	return h
}

func (h *Hub) add(fd int) *client {
	c := &client{hub: h, fd: fd, queue: queue{dir: h.spillDir, limit: h.limit}}
	h.clients = append(h.clients, c)
	c.watch()
	return c
}

// SpillDir says where what clients have not read is kept.
func (h *Hub) SpillDir(dir string) {
	h.spillDir = dir
	for _, c := range h.clients {
		c.queue.dir = dir
	}
}

// Listen begins to serve attachers in the working directory, which is Dir.
func (h *Hub) Listen() error {
	fd, err := stdio.Listen(protocol.AttachFile)
	if err != nil {
		return err
	}
	h.listener = fd
	return h.loop.Add(fd, loop.In, func(uint32) { h.accept() })
}

func (h *Hub) accept() {
	for {
		fd, ok := stdio.Accept(h.listener)
		if !ok {
			return
		}
		h.add(fd)
	}
}

// greet tells a new attacher that it is served from now on.
func (h *Hub) greet(c *client) {
	c.say(protocol.FrameStarted, protocol.AppendPID(nil, h.events.PID()))
}

// buffer is for one read from one client.
func (h *Hub) buffer() []byte {
	if h.read == nil {
		h.read = make([]byte, 32<<10)
	}
	return h.read
}

// Output hands out what the container wrote: buf[stdio.Room:].
func (h *Hub) Output(s stdio.Stream, buf []byte) {
	t := protocol.FrameStdout
	if s == stdio.Stderr {
		t = protocol.FrameStderr
	}
	protocol.AppendHeader(buf[:0], t, len(buf)-stdio.Room)
	for _, c := range h.clients {
		if (s == stdio.Stdout && c.wants.Stdout) || (s == stdio.Stderr && c.wants.Stderr) {
			c.send(buf)
		}
	}
}

// Tell sends a frame to everyone.
func (h *Hub) Tell(t protocol.Type, payload []byte) {
	for _, c := range h.clients {
		c.say(t, payload)
	}
}

// TellOwner sends a frame to the owner.
func (h *Hub) TellOwner(t protocol.Type, payload []byte) {
	for _, c := range h.clients {
		if c.owner {
			c.say(t, payload)
		}
	}
}

// StopListening ends the service to new attachers; who has connected already is served.
func (h *Hub) StopListening() {
	if h.listener == 0 {
		return
	}
	h.accept()
	h.loop.Remove(h.listener)
	_ = unix.Close(h.listener)
	_ = unix.Unlink(protocol.AttachFile)
	h.listener = 0
}

// OwnerConnected reports whether the owner is there.
func (h *Hub) OwnerConnected() bool {
	for _, c := range h.clients {
		if c.owner {
			return true
		}
	}
	return false
}

// StopperConnected reports whether a client is there that said NoRestart: it cleans up after the exit.
func (h *Hub) StopperConnected() bool {
	for _, c := range h.clients {
		if c.stops {
			return true
		}
	}
	return false
}

// Owed reports whether a client still has something to read, or to say about its terminal. With ownerOnly only output
// that the owner has not read counts.
func (h *Hub) Owed(ownerOnly bool) bool {
	for _, c := range h.clients {
		unread := !c.queue.empty() || len(c.overflow) > 0
		if c.owner && unread || !ownerOnly && (unread || c.tty.fd != 0) {
			return true
		}
	}
	return false
}

// Close ends all connections, and puts the terminals back whose clients have not said that they did.
func (h *Hub) Close() {
	h.StopListening()
	for len(h.clients) > 0 {
		h.clients[0].close()
	}
}

// gone forgets a closed client.
func (h *Hub) gone(c *client) {
	for i, other := range h.clients {
		if other == c {
			h.clients = append(h.clients[:i:i], h.clients[i+1:]...)
			break
		}
	}
	if c.stops && !c.orderly {
		h.events.StopperGone()
	}
	if c.owner {
		if c.wants.Stdin && !c.orderly {
			h.stdin.end()
		}
		h.events.OwnerGone()
	}
}
