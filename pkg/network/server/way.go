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
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network/uplink"
	"hull.dev/hull/pkg/network/wire"
	"hull.dev/hull/pkg/pidfd"
)

// pauses between two starts of a way out that does not come up.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// way is the one way out of the user's networks. It outlives this hull-net and is taken over by the next; one that ends is
// started again.
type way struct {
	request uplink.Request // but for the mode
	modes   []string       // in the order to try them
	say     func(string)
	over    chan struct{} // closed by end

	mu      sync.Mutex
	tended  bool          // keep is at work
	settled chan struct{} // closed when running or err is set
	running uplink.Running
	err     error
}

func newWay(o Options, say func(string)) (*way, error) {
	modes, err := uplink.ForBridges(o.Uplink)
	if err != nil {
		return nil, err
	}
	return &way{say: say, over: make(chan struct{}), modes: modes, request: uplink.Request{
		Path: filepath.Join(o.Dir, wire.Namespace), Dir: filepath.Join(o.Dir, wire.Uplink), Bridges: true, Program: o.Program, Command: o.Command,
	}}, nil
}

// trouble is why there is no way out, "" when there is one or none is wanted.
func (w *way) trouble() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return ""
	}
	return "there is no way out of the networks: " + w.err.Error()
}

// guards reports whether there is a way out that starts the next hull-net when this one has died.
func (w *way) guards() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running.PID != 0 && w.running.Guards
}

// file is where the next hull-net finds the process.
func (w *way) file() string { return filepath.Join(w.request.Dir, "running") }

// begin starts the way out beside what else is done, or takes over the one that runs.
func (w *way) begin(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.tended {
		w.tended, w.settled = true, make(chan struct{})
		go w.keep(context.WithoutCancel(ctx))
	}
}

// wait returns when the way out is there, or why it is not.
func (w *way) wait(ctx context.Context) error {
	w.mu.Lock()
	settled := w.settled
	w.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// keep has the way out run until end. One that never came up is left to the next begin: who waits for it hears why.
func (w *way) keep(ctx context.Context) {
	for came, pause := false, firstPause; ; {
		running, err := w.start(ctx)
		w.mu.Lock()
		w.running, w.err = running, err
		close(w.settled)
		if err != nil && !came {
			w.tended = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		if err == nil {
			came, pause = true, firstPause
			outlive(ctx, running)
		}
		select {
		case <-w.over:
			return
		default:
		}
		w.say("the uplink has ended and is started again")
		if err != nil {
			w.say("uplink: " + err.Error())
			if !w.pause(pause) {
				return
			}
			pause = min(2*pause, lastPause)
		}
		w.mu.Lock()
		w.settled = make(chan struct{})
		w.mu.Unlock()
	}
}

// pause reports whether the way out is still wanted after that time.
func (w *way) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.over:
		return false
	}
}

// start takes over the process that an earlier hull-net started, or starts one.
func (w *way) start(ctx context.Context) (uplink.Running, error) {
	if running, err := w.adopt(); err == nil {
		return running, nil
	}
	if err := w.announce(); err != nil {
		return uplink.Running{}, err
	}
	running, err := w.startOne(ctx)
	failpoint.Hit("uplink/started")
	if err == nil {
		err = w.record(running)
	}
	return running, errors.Join(err, w.announced())
}

// record writes where the next hull-net finds the process.
func (w *way) record(r uplink.Running) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteVolatile(w.file(), data)
}

// startOne starts the first that can be started.
func (w *way) startOne(ctx context.Context) (running uplink.Running, err error) {
	var failed []error
	for _, mode := range w.modes {
		r := w.request
		r.Mode = mode
		if running, err = uplink.Start(ctx, r); err == nil {
			return running, nil
		}
		w.say(mode + ": " + err.Error())
		failed = append(failed, err)
	}
	return running, errors.Join(failed...)
}

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

// outlive returns when the process has ended, and takes its exit if it is a child's.
func outlive(ctx context.Context, r uplink.Running) {
	_ = pidfd.Await(ctx, r.PID) // one that cannot be waited for is as good as ended: the next start finds it
	var status unix.WaitStatus
	_, _ = unix.Wait4(r.PID, &status, unix.WNOHANG, nil)
}

// end ends the way out, also one that an earlier hull-net left and nobody needed since.
func (w *way) end() error {
	if w == nil {
		return nil
	}
	close(w.over)
	w.mu.Lock()
	settled := w.settled
	w.mu.Unlock()
	var running uplink.Running
	var err error
	if settled == nil {
		if running, err = w.adopt(); err != nil {
			if err := w.endOrphans(); err != nil {
				return err
			}
		}
	} else {
		<-settled
		w.mu.Lock()
		running, err = w.running, w.err
		w.mu.Unlock()
	}
	if err == nil && running.PID > 0 && netns.StartTime(running.PID) == running.Start {
		if err := unix.Kill(running.PID, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return os.RemoveAll(w.request.Dir)
}
