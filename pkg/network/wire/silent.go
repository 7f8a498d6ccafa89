package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/pidfd"
)

// silentError is hull-net that is there and does not answer.
type silentError struct{ pid int }

func (e silentError) Error() string {
	return fmt.Sprintf("process %d is there and does not answer", e.pid)
}

// IsSilent reports whether err, or one that it wraps, says that hull-net is there and does not answer.
func IsSilent(err error) bool {
	_, silent := errors.AsType[silentError](err)
	return silent
}

// late is why no answer came in time.
func (c *Client) late() error {
	pid := c.pid()
	if pid == 0 {
		return errs.WithHint(errors.New("it does not come up"), "see %s", filepath.Join(c.Dir, Log))
	}
	return errs.WithHint(silentError{pid}, "hull system check --repair ends it and starts the next, which goes on where it was")
}

// pid is that of the hull-net which listens, 0 when there is none.
func (c *Client) pid() int {
	data, err := os.ReadFile(filepath.Join(c.Dir, PID))
	if err != nil {
		return 0
	}
	text, start, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 || start != strconv.FormatUint(netns.StartTime(pid), 10) {
		return 0
	}
	return pid
}

// endTime is how long a killed hull-net may take to be gone.
const endTime = 5 * time.Second

// restTime is how long hull-net may take to end by itself: it stays for two seconds when the last container has left.
const restTime = 10 * time.Second

// Kill ends hull-net at once, and waits until it is gone. Nothing that it has done is lost: the next one goes on.
func (c *Client) Kill() error {
	pid := c.pid()
	if pid == 0 {
		return nil
	}
	return pidfd.Kill(pid, endTime, func() (bool, error) { return c.pid() == pid, nil })
}

// Ended waits until hull-net has ended by itself, as it does soon after the last container has left.
func (c *Client) Ended(ctx context.Context) error {
	pid := c.pid()
	if pid == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	if err := pidfd.Await(ctx, pid); err != nil {
		return fmt.Errorf("wait for hull-net, process %d, to end: %w", pid, err)
	}
	return nil
}
