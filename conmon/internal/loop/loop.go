// Package loop is the monitor's one thread of control: epoll over its descriptors, and timers. Everything a handler
// touches belongs to the loop, so nothing in the monitor needs a lock. The Go runtime's own poller is not used: its
// descriptors, goroutines and buffers would cost more memory than the rest of the monitor.
package loop

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Events a handler gets. Hup and Err come unasked.
const (
	In  = unix.EPOLLIN
	Out = unix.EPOLLOUT
	Pri = unix.EPOLLPRI
	Hup = unix.EPOLLHUP
	Err = unix.EPOLLERR
)

// Handler is called with the events that are ready; level-triggered.
type Handler func(events uint32)

type entry struct {
	handler Handler
	gen     int32 // tells a descriptor from an earlier one of the same number, whose events are still in the batch
}

// Loop must be made with New.
type Loop struct {
	epoll   int
	entries map[int]entry
	gen     int32
	timers  []*Timer
	batch   [32]unix.EpollEvent
}

// New makes a loop that watches nothing.
func New() (*Loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &Loop{epoll: fd, entries: make(map[int]entry)}, nil
}

// Close ends the loop; what it watched stays open.
func (l *Loop) Close() { _ = unix.Close(l.epoll) }

// Add watches fd. The fd stays the caller's, who removes it before closing it.
func (l *Loop) Add(fd int, events uint32, h Handler) error {
	l.gen++
	event := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.gen}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	l.entries[fd] = entry{h, l.gen}
	return nil
}

// Set changes what a watched fd is watched for.
func (l *Loop) Set(fd int, events uint32) {
	event := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.entries[fd].gen}
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, fd, &event) // fails for a descriptor that is not watched alone
}

// Remove ends the watch; fine with an fd that is not watched.
func (l *Loop) Remove(fd int) {
	if _, ok := l.entries[fd]; !ok {
		return
	}
	delete(l.entries, fd)
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil)
}

// Timer is one call in the future.
type Timer struct {
	at   time.Time
	call func()
}

// After calls f once when d has passed.
func (l *Loop) After(d time.Duration, f func()) *Timer {
	t := &Timer{time.Now().Add(d), f}
	l.timers = append(l.timers, t)
	return t
}

// Stop takes a timer back; fine when it has fired, and with a nil one.
func (l *Loop) Stop(t *Timer) {
	for i, other := range l.timers {
		if other == t {
			l.timers = append(l.timers[:i], l.timers[i+1:]...)
			return
		}
	}
}

// Run serves until done says so; it is asked after each batch of events.
func (l *Loop) Run(done func() bool) error {
	for !done() {
		n, err := unix.EpollWait(l.epoll, l.batch[:], l.wait())
		if err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, event := range l.batch[:n] {
			if e, ok := l.entries[int(event.Fd)]; ok && e.gen == event.Pad {
				e.handler(event.Events)
			}
		}
		l.fire()
	}
	return nil
}

// wait is the milliseconds until the next timer, rounded up, or -1.
func (l *Loop) wait() int {
	if len(l.timers) == 0 {
		return -1
	}
	next := l.timers[0].at
	for _, t := range l.timers[1:] {
		if t.at.Before(next) {
			next = t.at
		}
	}
	left := time.Until(next)
	if left <= 0 {
		return 0
	}
	return int(min((left+time.Millisecond-1)/time.Millisecond, 1<<30))
}

func (l *Loop) fire() {
	if len(l.timers) == 0 {
		return
	}
	now := time.Now()
	for i := 0; i < len(l.timers); {
		t := l.timers[i]
		if t.at.After(now) {
			i++
			continue
		}
		l.Stop(t)
		t.call()
		i = 0 // the call may have changed the list
	}
}
