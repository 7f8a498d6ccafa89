package loop

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(p[0])
		_ = unix.Close(p[1])
	})
	return p[0], p[1]
}

// run serves until done, and fails the test when that takes too long.
func run(t *testing.T, l *Loop, done func() bool) {
	t.Helper()
	late := false
	guard := l.After(20*time.Second, func() { late = true })
	if err := l.Run(func() bool { return late || done() }); err != nil {
		t.Fatal(err)
	}
	l.Stop(guard)
	if late {
		t.Fatal("it did not come to its end")
	}
}

func TestTimersFireInTheirOrder(t *testing.T) {
	l := newLoop(t)
	var got []int
	l.After(3*time.Millisecond, func() { got = append(got, 3) })
	l.After(time.Millisecond, func() {
		got = append(got, 1)
		l.After(0, func() { got = append(got, 2) }) // one made by another
	})
	stopped := l.After(time.Millisecond, func() { got = append(got, 9) })
	l.Stop(stopped)
	l.Stop(stopped)
	l.Stop(nil)
	began := time.Now()
	run(t, l, func() bool { return len(got) == 3 })
	slices.Sort(got)
	if !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("%v fired, want 1, 2 and 3", got)
	}
	if time.Since(began) < 3*time.Millisecond {
		t.Error("a timer fired early")
	}
}

func TestHandlerGetsWhatIsReady(t *testing.T) {
	l := newLoop(t)
	r, w := pipe(t)
	var events uint32
	if err := l.Add(r, In, func(e uint32) { events = e }); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(w, []byte("x")); err != nil {
		t.Fatal(err)
	}
	run(t, l, func() bool { return events != 0 })
	if events&In == 0 {
		t.Errorf("events %x", events)
	}
	var p [9]byte
	if n, err := Read(r, p[:]); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := Read(r, p[:]); n != 0 || !WouldBlock(err) {
		t.Errorf("an empty pipe: %d bytes, %v", n, err)
	}
	if err := l.Add(r, In, nil); err == nil {
		t.Error("a descriptor is watched twice")
	}
}

func TestSetChangesWhatIsWatchedFor(t *testing.T) {
	l := newLoop(t)
	_, w := pipe(t)
	called := 0
	if err := l.Add(w, 0, func(uint32) { called++ }); err != nil {
		t.Fatal(err)
	}
	fired := false
	l.After(time.Millisecond, func() { fired = true })
	run(t, l, func() bool { return fired })
	if called != 0 {
		t.Error("a writer that is not watched for Out is called")
	}
	l.Set(w, Out)
	run(t, l, func() bool { return called > 0 })
}

// A handler may end the watch of another whose event is in the same batch.
func TestRemovedIsNotCalledAnyMore(t *testing.T) {
	l := newLoop(t)
	calls := 0
	var fds [2]int
	for i := range fds {
		r, w := pipe(t)
		if _, err := Write(w, []byte("x")); err != nil {
			t.Fatal(err)
		}
		fds[i] = r
	}
	for i := range fds {
		if err := l.Add(fds[i], In, func(uint32) {
			calls++
			l.Remove(fds[1-i])
			l.Remove(fds[1-i]) // fine twice
			l.Remove(fds[i])
		}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, l, func() bool { return calls > 0 })
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

// The number of a removed descriptor may come back in the same batch, with another handler.
func TestNewDescriptorDoesNotGetTheOldOnesEvents(t *testing.T) {
	l := newLoop(t)
	idle, _ := pipe(t)
	var fds [2]int
	first, second := true, 0
	for i := range fds {
		r, w := pipe(t)
		fds[i] = r
		if _, err := Write(w, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range fds {
		if err := l.Add(fds[i], In, func(uint32) {
			if !first {
				return
			}
			first = false
			other := fds[1-i]
			l.Remove(fds[i])
			l.Remove(other)
			if err := unix.Dup3(idle, other, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
			if err := l.Add(other, In, func(uint32) { second++ }); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, l, func() bool { return !first })
	if second != 0 {
		t.Error("the new handler was called for the old descriptor")
	}
}
