package ports

import (
	"errors"

	"golang.org/x/sys/unix"
)

// link is a client's connection with the one to the container. Half-closed connections are kept. All of it is used under
// its relay's lock.
type link struct {
	server        *tcpServer
	relay         *relay
	client, inner end
	forth, back   half
	closed        bool
}

// end is one of the connections.
type end struct {
	link *link
	fd   int
	// What it may have, until the kernel says EAGAIN: bytes to read, room to write. When last is set, an end of file or an error
	// comes after the bytes; when failed is set, the connection is no more.
	readable, writable, last, failed bool
}

// newLink makes one that may do anything: the client has often sent something already, and the container answered.
func newLink(s *tcpServer, r *relay, client, inner int) *link {
	l := &link{server: s, relay: r}
	l.client = end{link: l, fd: client, readable: true, writable: true}
	l.inner = end{link: l, fd: inner, readable: true, writable: true}
	l.forth = half{src: &l.client, dst: &l.inner}
	l.back = half{src: &l.inner, dst: &l.client}
	return l
}

// note takes up what epoll_wait(2) says.
func (e *end) note(events uint32) {
	const gone = unix.EPOLLHUP | unix.EPOLLERR
	e.readable = e.readable || events&(unix.EPOLLIN|unix.EPOLLRDHUP|gone) != 0
	e.writable = e.writable || events&(unix.EPOLLOUT|gone) != 0
	e.last = e.last || events&(unix.EPOLLRDHUP|gone) != 0
	e.failed = e.failed || events&unix.EPOLLERR != 0
}

// move moves what can be moved, and ends what is at its end.
func (l *link) move() {
	if l.closed {
		return
	}
	later := false
	for _, h := range []*half{&l.forth, &l.back} {
		switch err := h.move(l.relay); {
		case err == nil:
		case errors.Is(err, errLater):
			later = true
		case errors.Is(err, errGone):
			l.close() // what the other end was sent still reaches it
			return
		default:
			l.reset()
			return
		}
	}
	switch {
	case l.forth.done && l.back.done:
		l.close()
	case later:
		l.relay.more = append(l.relay.more, l)
	}
}

// close ends a link that is not closed.
func (l *link) close() {
	l.closed = true
	l.forth.giveBack(l.relay)
	l.back.giveBack(l.relay)
	l.relay.forget(l)
	_ = unix.Close(l.client.fd)
	_ = unix.Close(l.inner.fd)
	l.server.forget(l)
}

// reset ends both sides at once; each sees that the other is gone.
func (l *link) reset() {
	if !l.closed {
		linger(l.client.fd)
		linger(l.inner.fd)
		l.close()
	}
}

// linger has close(2) send a reset (socket(7), SO_LINGER).
func linger(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}
