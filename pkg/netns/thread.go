package netns

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Thread is a thread of this process that stays in another network namespace. A socket that is made there stays there,
// whoever uses it afterwards. Make one with Enter.
type Thread struct {
	path  string
	calls chan func()
	end   sync.Once
}

// Enter starts a thread in the network namespace at path; "" is the process's own.
func Enter(path string) (*Thread, error) {
	t := &Thread{path: path, calls: make(chan func())}
	entered := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if path != "" {
			if err := Join(path); err != nil {
				entered <- err
				return
			}
		}
		entered <- nil
		for call := range t.calls {
			call()
		}
	}()
	return t, <-entered
}

// Join puts the calling thread, which must be locked to its goroutine, there. Not by os.Open, whose file the Go runtime's poller would look at first.
func Join(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", path, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %q: %w", path, err)
	}
	return nil
}

// Do calls fn on the thread and returns its error. Calls wait for each other: fn makes a socket, it does not wait on one.
func (t *Thread) Do(fn func() error) error {
	done := make(chan error, 1)
	t.calls <- func() {
		err := errors.New("the call has panicked")
		defer func() { done <- err }()
		err = fn()
	}
	return <-done
}

// Go calls fn, which may take long, on another thread in the same namespace.
func (t *Thread) Go(fn func()) error {
	other, err := Enter(t.path)
	if err != nil {
		return err
	}
	other.calls <- fn
	other.Close()
	return nil
}

// Close ends the thread. Do must not be called after it.
func (t *Thread) Close() { t.end.Do(func() { close(t.calls) }) }
