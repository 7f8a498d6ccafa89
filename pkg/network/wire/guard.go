package wire

import (
	"context"
	"time"

	"hull.dev/hull/pkg/pidfd"
)

// How long after the end of hull-net its guard leaves it to the monitors to start the next, and how long it waits at most when
// that cannot be started.
const (
	grace     = time.Second
	lastGrace = 30 * time.Second
)

// Guard starts hull-net when it has died, until ctx ends. While containers are on networks their monitors do so, and are
// faster; the guard is for the time after the last has left, in which links and a way out are there yet.
func (c *Client) Guard(ctx context.Context) {
	for wait := grace; ; {
		if pid := c.pid(); pid != 0 && pidfd.Await(ctx, pid) == nil {
			wait = grace
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if c.pid() == 0 {
			c.startOne(ctx)
			wait = min(2*wait, lastGrace)
		}
	}
}

// startOne starts hull-net and returns when it listens, or has ended.
func (c *Client) startOne(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	child, err := c.start()
	if err != nil {
		return
	}
	const tick = 20 * time.Millisecond
	for ctx.Err() == nil && c.pid() != child.pid {
		if _, ended := child.ended(); ended {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(tick):
		}
	}
	go func() { // it is ours, and would stay a zombie
		_ = pidfd.Await(context.WithoutCancel(ctx), child.pid)
		_, _ = child.ended()
	}()
}
