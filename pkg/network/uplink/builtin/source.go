package builtin

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// piece is how many bytes are moved at once; the largest datagram fits.
const piece = 128 << 10

// pieces keeps some for the next reader: a connection that waits has none.
var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// source is a side that is read.
type source interface {
	// each calls fn with what comes until there is an error: its own, io.EOF at the end of a stream, or fn's.
	each(fn func([]byte) error) error
}

// world is the host's side.
type world struct {
	raw    syscall.RawConn
	stream bool
}

func newWorld(c syscall.Conn) (*world, error) {
	raw, err := c.SyscallConn()
	_, stream := c.(*net.TCPConn)
	return &world{raw, stream}, err
}

func (w *world) each(fn func([]byte) error) error {
	for {
		var buf *[piece]byte
		var n int
		var failed error
		err := w.raw.Read(func(fd uintptr) bool {
			buf = pieces.Get().(*[piece]byte) //nolint:forcetypeassert // nothing else is put there
			n, failed = unix.Read(int(fd), buf[:])
			if failed != nil {
				pieces.Put(buf)
			}
			return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		if n == 0 && w.stream {
			err = io.EOF
		} else {
			err = fn(buf[:n])
		}
		pieces.Put(buf)
		if err != nil {
			return err
		}
	}
}

// inside is the namespace's side.
type inside struct {
	endpoint tcpip.Endpoint
	queue    *waiter.Queue
}

func newInside(endpoint tcpip.Endpoint, queue *waiter.Queue) *inside { return &inside{endpoint, queue} }

func (i *inside) each(fn func([]byte) error) error {
	entry, changed := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr)
	i.queue.EventRegister(&entry)
	defer i.queue.EventUnregister(&entry)
	for {
		buf := pieces.Get().(*[piece]byte) //nolint:forcetypeassert // nothing else is put there
		into := tcpip.SliceWriter(buf[:])
		result, failed := i.endpoint.Read(&into, tcpip.ReadOptions{})
		var err error
		switch failed.(type) {
		case nil:
			err = fn(buf[:result.Count])
		case *tcpip.ErrWouldBlock:
			pieces.Put(buf)
			<-changed
			continue
		case *tcpip.ErrClosedForReceive:
			err = io.EOF
		default:
			err = errors.New(failed.String())
		}
		pieces.Put(buf)
		if err != nil {
			return err
		}
	}
}
