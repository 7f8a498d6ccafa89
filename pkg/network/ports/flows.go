package ports

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// flows are the UDP clients of all ports, the one that was silent longest first to go.
type flows struct {
	inside *dialer
	work   *sync.WaitGroup
	idle   time.Duration
	most   int

	mu    sync.Mutex
	all   map[flowKey]*list.Element
	order *list.List // of *flow, the latest used in front
	timer *time.Timer
	ended bool
}

type flowKey struct {
	server *udpServer
	client netip.AddrPort
}

// flow is one client of one port.
type flow struct {
	flowKey
	file  *os.File // connected to the container
	raw   syscall.RawConn
	reply atomic.Pointer[string] // control message of the answers
	last  time.Time              // of use
}

func newFlows(inside *dialer, work *sync.WaitGroup, idle time.Duration, most int) *flows {
	t := &flows{inside: inside, work: work, idle: idle, most: most, all: map[flowKey]*list.Element{}, order: list.New()}
	t.timer = time.AfterFunc(idle, t.expire)
	t.timer.Stop() // until there is one
	return t
}

// get returns the flow of a client, a new one if need be, whose answers go with the control message from now on.
func (t *flows) get(server *udpServer, client netip.AddrPort, reply string) (*flow, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := flowKey{server, client}
	if e, ok := t.all[k]; ok {
		f := t.use(e)
		if *f.reply.Load() != reply {
			f.reply.Store(&reply)
		}
		return f, nil
	}
	if t.ended {
		return nil, net.ErrClosed
	}
	file, err := t.inside.udp(client, *server.to.Load())
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f := &flow{flowKey: k, file: file, raw: raw, last: time.Now()}
	f.reply.Store(&reply)
	if t.order.Len() == 0 {
		t.timer.Reset(t.idle)
	}
	t.all[k] = t.order.PushFront(f)
	for t.order.Len() > t.most {
		t.forget(t.order.Back())
	}
	t.work.Go(func() { t.answers(f) })
	return f, nil
}

// use and forget are called with the lock.
func (t *flows) use(e *list.Element) *flow {
	f := e.Value.(*flow) //nolint:forcetypeassert // the list holds nothing else
	f.last = time.Now()
	t.order.MoveToFront(e)
	return f
}

func (t *flows) forget(e *list.Element) {
	f := t.order.Remove(e).(*flow) //nolint:forcetypeassert // as above
	delete(t.all, f.flowKey)
	_ = f.file.Close()
}

// expire forgets what was idle for too long.
func (t *flows) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.order.Back(); e != nil; e = t.order.Back() {
		f := e.Value.(*flow) //nolint:forcetypeassert // as above
		if left := t.idle - time.Since(f.last); left > 0 {
			t.timer.Reset(left)
			return
		}
		t.forget(e)
	}
}

// drop forgets the flows of a port.
func (t *flows) drop(s *udpServer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, e := range t.all {
		if k.server == s {
			t.forget(e)
		}
	}
}

func (t *flows) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.timer.Stop()
	for _, e := range t.all {
		t.forget(e)
	}
}

// answers hands what the container sends to the client until the flow is forgotten.
func (t *flows) answers(f *flow) {
	for {
		d, err := receive(f.raw)
		if err != nil {
			return
		}
		if d == nil {
			continue // the container has said that nobody listens
		}
		f.server.reply(f.client, d.data[:d.n], *f.reply.Load())
		datagrams.Put(d)
		t.mu.Lock()
		if e, ok := t.all[f.flowKey]; ok {
			t.use(e)
		}
		t.mu.Unlock()
	}
}

// send does not wait: a datagram that finds no room is lost, as on any link.
func (f *flow) send(data []byte) {
	_ = f.raw.Write(func(fd uintptr) bool {
		// An answer that nobody listens to a former one is told to the next sender, whose own was not sent then.
		if err := unix.Send(int(fd), data, unix.MSG_DONTWAIT); err == unix.ECONNREFUSED {
			_ = unix.Send(int(fd), data, unix.MSG_DONTWAIT)
		}
		return true
	})
}
