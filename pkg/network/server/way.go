package server

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network/uplink"
	"hull.dev/hull/pkg/network/wire"
)

// way is the one way out of the user's networks. It outlives this hull-net and is taken over by the next; one that ends is
// started again.
type way struct {
	request uplink.Request
	say     func(string)
	mu      sync.Mutex
	started chan struct{} // closed when running or err is set; nil before begin
	running uplink.Running
	err     error
	over    bool
}

func newWay(o Options, say func(string)) (*way, error) {
	mode, err := uplink.Choose(false, o.Uplink)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, wire.Uplink)
	return &way{say: say, request: uplink.Request{Mode: mode, Path: filepath.Join(o.Dir, wire.Namespace), Dir: dir}}, nil
}

// name is the program, "" as root, who has no way of his own.
func (w *way) name() string {
	if w == nil {
		return ""
	}
	return w.request.Mode
}

// file is where the next hull-net finds the process.
func (w *way) file() string { return filepath.Join(w.request.Dir, "running") }

// begin starts the way out beside what else is done, or takes over the one that runs.
func (w *way) begin(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started == nil {
		w.started = make(chan struct{})
		go w.start(context.WithoutCancel(ctx), w.started)
	}
}

// wait returns when the way out is there, or why it is not. After an error the next begin tries again.
func (w *way) wait(ctx context.Context) error {
	w.mu.Lock()
	started := w.started
	w.mu.Unlock()
	select {
	case <-started:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil && w.started == started {
		w.started = nil
	}
	return w.err
}

func (w *way) start(ctx context.Context, started chan struct{}) {
	running, err := w.adopt()
	if err != nil {
		if err = os.MkdirAll(w.request.Dir, 0o700); err == nil {
			running, err = uplink.Start(ctx, w.request)
		}
		if err == nil {
			err = w.record(running)
		}
	}
	w.mu.Lock()
	w.running, w.err = running, err
	w.mu.Unlock()
	close(started)
	if err == nil {
		go w.watch(ctx, running)
	}
}

func (w *way) record(r uplink.Running) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteVolatile(w.file(), data)
}

// adopt finds the one that an earlier hull-net started.
func (w *way) adopt() (r uplink.Running, err error) {
	data, err := os.ReadFile(w.file())
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, err
	}
	if r.PID == 0 || netns.StartTime(r.PID) != r.Start {
		return r, errors.New("it has ended")
	}
	return r, nil
}

// watch starts the way out again when it ends.
func (w *way) watch(ctx context.Context, r uplink.Running) {
	if r.PID == 0 { // a part of this process
		return
	}
	if fd, err := unix.PidfdOpen(r.PID, 0); err == nil {
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				break
			}
		}
		_ = unix.Close(fd)
	}
	var status unix.WaitStatus
	_, _ = unix.Wait4(r.PID, &status, unix.WNOHANG, nil) // ours to reap, unless an earlier hull-net started it
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.say("the uplink has ended and is started again")
	w.started = make(chan struct{})
	started := w.started
	go func() {
		for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
			w.start(ctx, started)
			w.mu.Lock()
			err := w.err
			if err == nil || w.over {
				w.mu.Unlock()
				return
			}
			w.say("uplink: " + err.Error())
			w.started = make(chan struct{})
			started = w.started
			w.mu.Unlock()
			time.Sleep(pause)
		}
	}()
}

// end ends the way out.
func (w *way) end() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	started := w.started
	w.over = true
	w.mu.Unlock()
	if started == nil {
		return nil
	}
	<-started
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.running.PID > 0 && netns.StartTime(w.running.PID) == w.running.Start {
		if err := unix.Kill(w.running.PID, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return os.RemoveAll(w.request.Dir)
}
