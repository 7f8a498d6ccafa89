package ports

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// events is how many a relay takes from the kernel at once.
const events = 128

// relay accepts connections and moves their bytes, all on one goroutine that waits in epoll_wait(2): a port costs a descriptor, a
// connection two and some hundred bytes, and one wake-up serves all that is ready. With Go's poller each port takes a goroutine
// and each connection three, and each message a switch to one of them and a read in vain.
//
// Descriptors are registered once, edge-triggered: an end remembers that it may have bytes or room until the kernel says EAGAIN.
//
// It runs inside: from there a thread gets into the containers' namespaces and back, from the host's it does not.
type relay struct {
	inside *netns.Thread
	work   *sync.WaitGroup

	mu    sync.Mutex // held while events are handled
	poll  int        // descriptor of the epoll instance
	wake  int        // eventfd(2) that tells of calls, and that it is over
	calls []func()
	doors map[int32]*tcpServer
	ends  map[int32]*end // nil until there is something to do
	more  []*link        // have bytes to move that are no news
	pipes pipes
	buf   []byte
	over  bool
}

// relays share the connections. The first accepts them all, so that a port wakes nobody in vain; its lock is taken before
// another's.
type relays struct {
	list []*relay
	next int // of the list, under the lock of the first
}

func newRelays(inside *netns.Thread, work *sync.WaitGroup, count int) *relays {
	all := &relays{list: make([]*relay, count)}
	for i := range all.list {
		all.list[i] = &relay{inside: inside, work: work}
	}
	return all
}

// relayCount is one for two processors, which who sends and who receives need too.
func relayCount() int { return min(max(runtime.NumCPU()/2, 1), 8) }

func (all *relays) first() *relay { return all.list[0] }

// turn is the relay of the next link. The lock of the first is held.
func (all *relays) turn() *relay {
	all.next = (all.next + 1) % len(all.list)
	return all.list[all.next]
}

// give hands a new link to its relay. The lock of the first is held.
func (all *relays) give(l *link) {
	if l.relay != all.first() {
		l.relay.mu.Lock()
		defer l.relay.mu.Unlock()
	}
	if l.closed {
		return // its port has ended meanwhile
	}
	if err := l.relay.adopt(l); err != nil {
		l.reset()
		return
	}
	l.move()
}

// close ends all connections. It does not wait for the goroutines.
func (all *relays) close() {
	for _, r := range all.list {
		r.close()
	}
}

// open registers a listening socket, which stays the server's. What comes waits until hear.
func (r *relay) open(fd int, s *tcpServer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.start(); err != nil {
		return err
	}
	if err := r.control(unix.EPOLL_CTL_ADD, fd, 0); err != nil {
		return err
	}
	r.doors[int32(fd)] = s
	return nil
}

// hear has the relay accept what comes to a registered socket, or leave it waiting. The lock is held.
func (r *relay) hear(fd int, yes bool) {
	var interest uint32
	if yes {
		interest = unix.EPOLLIN
	}
	_ = r.control(unix.EPOLL_CTL_MOD, fd, interest) // it cannot fail for one that is registered
}

// shut takes the socket off. The descriptor may be closed afterwards.
func (r *relay) shut(fd int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doors[int32(fd)] != nil {
		delete(r.doors, int32(fd))
		_ = r.control(unix.EPOLL_CTL_DEL, fd, 0)
	}
}

// start begins the relay's work if that has not begun. The lock is held.
func (r *relay) start() (err error) {
	if r.over {
		return net.ErrClosed
	}
	if r.ends != nil {
		return nil
	}
	if r.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(os.NewSyscallError("eventfd", err), unix.Close(r.poll))
	}
	if err := r.control(unix.EPOLL_CTL_ADD, r.wake, unix.EPOLLIN); err != nil {
		return errors.Join(err, unix.Close(r.wake), unix.Close(r.poll))
	}
	r.work.Add(1)
	err = r.inside.Go(func() {
		defer r.work.Done()
		r.run()
	})
	if err != nil {
		r.work.Done()
		return errors.Join(err, unix.Close(r.wake), unix.Close(r.poll))
	}
	r.doors, r.ends = map[int32]*tcpServer{}, map[int32]*end{}
	return nil
}

func (r *relay) control(op, fd int, interest uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(r.poll, op, fd, &unix.EpollEvent{Events: interest, Fd: int32(fd)}))
}

// call has the relay call fn. When it is over fn is called at once, with the lock all the same.
func (r *relay) call(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		fn()
		return
	}
	r.calls = append(r.calls, fn)
	r.rouse()
}

func (r *relay) rouse() { _, _ = unix.Write(r.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (r *relay) run() {
	list := make([]unix.EpollEvent, events)
	for wait := -1; ; {
		n, err := unix.EpollWait(r.poll, list, wait)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic(fmt.Errorf("epoll_wait: %w", err)) // it cannot be: the descriptor is one
		}
		more, over := r.handle(list[:max(n, 0)])
		if over {
			return
		}
		wait = -1
		if more {
			wait = 0
		}
	}
}

// handle reports whether there is more to do that is no news, and whether the relay is over.
func (r *relay) handle(list []unix.EpollEvent) (more, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		for _, fn := range r.calls {
			fn() // who waits hears that it is over
		}
		r.release()
		return false, true
	}
	before, calls := r.more, r.calls
	r.more, r.calls = nil, nil
	for _, l := range before {
		l.move()
	}
	for _, fn := range calls {
		fn()
	}
	for i := range list {
		// What was meant for an earlier descriptor of this number, closed since, is a wrong hint and does no harm.
		if list[i].Fd == int32(r.wake) {
			_, _ = unix.Read(r.wake, make([]byte, 8))
		} else if s := r.doors[list[i].Fd]; s != nil {
			s.accept(int(list[i].Fd))
		} else if e := r.ends[list[i].Fd]; e != nil {
			e.note(list[i].Events)
			e.link.move()
		}
	}
	return len(r.more) > 0, false
}

// adopt takes over a link, whose descriptors it closes at the end. The lock is held.
func (r *relay) adopt(l *link) error {
	if err := r.start(); err != nil {
		return err
	}
	for _, e := range []*end{&l.client, &l.inner} {
		r.ends[int32(e.fd)] = e
		if err := r.control(unix.EPOLL_CTL_ADD, e.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what a link had here. Without links the relay has no more than it began with.
func (r *relay) forget(l *link) {
	delete(r.ends, int32(l.client.fd))
	delete(r.ends, int32(l.inner.fd))
	if len(r.ends) == 0 {
		r.buf = nil
		r.pipes.close()
	}
}

func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over && r.ends != nil {
		r.rouse()
	}
	r.over = true
	clear(r.doors)
}

// release gives all descriptors back.
func (r *relay) release() {
	for _, e := range r.ends {
		e.link.reset()
	}
	r.pipes.close()
	_ = unix.Close(r.wake)
	_ = unix.Close(r.poll)
}
