package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
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

// Kill ends hull-net at once, and waits until it is gone. Nothing that it has done is lost: the next one goes on.
func (c *Client) Kill() error {
	pid := c.pid()
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(fd)
	if c.pid() != pid { // it ended before the pidfd was open, which may be of another
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return os.NewSyscallError("pidfd_send_signal", err)
	}
	for deadline := time.Now().Add(endTime); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		switch {
		case n > 0:
			return nil
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return os.NewSyscallError("poll", err)
		default:
			return fmt.Errorf("hull-net, process %d, does not end when it is killed", pid)
		}
	}
}
