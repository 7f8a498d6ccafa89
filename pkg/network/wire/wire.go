// Package wire is what hull and hull-net say to each other. hull-net is one process per user that does the work of networks:
// it holds the links, the rules, the names and the published ports while a container is on a bridge.
//
// Its folder is RUNTIMEDIR/KEY/net, mode 0700:
//
//	sock      where it listens; one Request as JSON per connection, one Answer as JSON back
//	lock      held while it lives
//	pid       its pid and field 22 of its /proc/PID/stat, on one line; replaced whole by the next hull-net
//	ns        the network namespace with the bridges; not as root
//	a/ID      an Attachment as JSON, written before the container is attached and removed when it is not any more
//	l/ID      the same, of a container that has been taken off and whose links are not yet gone
//	uplink/   the files of the way out
//	log       what hull-net complained of, the last one's alone
//
// hull-net dies with nothing lost: the next one reads the attachments. The monitors start it when it dies, and hull does when
// it needs it. It ends by itself some time after the last container has left.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/network"
)

// The files in hull-net's folder.
const (
	Socket      = "sock"
	Lock        = "lock"
	PID         = "pid"
	Namespace   = "ns"
	Attachments = "a"
	Leaving     = "l"
	Uplink      = "uplink"
	Log         = "log"
)

// What is asked. Each may be asked again after an answer was lost.
const (
	Attach     = "attach"     // Request.Attachment; the answer has it with all that was chosen
	Detach     = "detach"     // Request.ID; one that is not attached is fine
	Connect    = "connect"    // Request.ID and Join: one more network for a container that is attached
	Disconnect = "disconnect" // Request.ID and Network: one network less
	Ports      = "ports"      // Request.ID and Ports: what is published from now on
	Changed    = "changed"    // Request.Network: its definition is another now
	Reload     = "reload"     // all rules and links are made anew, of Request.ID or of all
	Status     = "status"     // the answer has what there is
	Visit      = "visit"      // there is a way out, and hull-net lives on until the connection is closed: somebody is in its namespace
)

// Request is one question.
type Request struct {
	Op         string              `json:"op"`
	ID         string              `json:"id,omitempty"` // of a container
	Attachment *network.Attachment `json:"attachment,omitempty"`
	Join       *network.Join       `json:"join,omitempty"`
	Network    *network.Network    `json:"network,omitempty"`
	Ports      []network.Port      `json:"ports,omitempty"`
}

// Answer is what came of it.
type Answer struct {
	Error      *errs.Failure       `json:"error,omitempty"`
	Attachment *network.Attachment `json:"attachment,omitempty"`
	Report     *Report             `json:"report,omitempty"`
}

// Report is what Status tells.
type Report struct {
	Trouble []string `json:"trouble,omitempty"` // what should be there and is not
}

// MaxMessage is how many bytes a Request or an Answer may have.
const MaxMessage = 1 << 20

// deadline is how long hull-net may take to come up, and to answer.
const deadline = 30 * time.Second

// Client asks hull-net.
type Client struct {
	Dir     string
	Command []string // argv that starts hull-net
}

// Ask sends a request and returns the answer. hull-net is started when it does not run.
func (c *Client) Ask(ctx context.Context, r Request) (*Answer, error) {
	return c.ask(ctx, r, receive)
}

// ask has receive read the answer.
func (c *Client) ask(ctx context.Context, r Request, receive func(net.Conn) (*Answer, error)) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	request, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	for {
		conn, err := c.connect(ctx)
		if err != nil {
			return nil, fmt.Errorf("hull-net: %w", err)
		}
		a, err := exchange(ctx, conn, request, receive)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			continue // it died or was about to end: the next one is asked
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil, fmt.Errorf("hull-net: %w", c.late())
		case err != nil:
			return nil, fmt.Errorf("hull-net: %w", err)
		case a.Error != nil:
			return nil, a.Error.Err()
		}
		return a, nil
	}
}

// Attached reports whether a container may be attached: else there is nothing to ask for.
func (c *Client) Attached(id string) bool {
	_, err := os.Lstat(filepath.Join(c.Dir, Attachments, id))
	return err == nil
}

// Runs reports whether hull-net listens.
func (c *Client) Runs(ctx context.Context) bool {
	conn, err := c.dial(ctx)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func exchange(ctx context.Context, conn net.Conn, request []byte, receive func(net.Conn) (*Answer, error)) (*Answer, error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(append(request, '\n')); err != nil {
		return nil, err
	}
	return receive(conn)
}

func receive(conn net.Conn) (*Answer, error) {
	data, err := io.ReadAll(io.LimitReader(conn, MaxMessage))
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, io.EOF
	}
	var a Answer
	return &a, json.Unmarshal(data, &a)
}

// dial goes through the folder's descriptor: the path of a socket has 107 bytes at most (unix(7)).
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	dir, err := os.Open(c.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var d net.Dialer
	return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), Socket))
}

// connect connects to hull-net, which it starts if need be.
func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	if conn, err := c.dial(ctx); err == nil {
		return conn, nil
	}
	child, err := c.start()
	if err != nil {
		return nil, err
	}
	for wait := time.Millisecond; ; wait = min(wait*3/2, 20*time.Millisecond) {
		conn, err := c.dial(ctx)
		if err == nil {
			return conn, nil
		}
		if status, ended := child.ended(); ended {
			if !status.Exited() || status.ExitStatus() != 0 {
				return nil, c.complaint(status)
			}
			// Another one held the lock, and may be the last moments of one that ends.
			if child, err = c.start(); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, c.late()
		case <-time.After(wait):
		}
	}
}

// complaint is why hull-net could not start, in the last words of its log.
func (c *Client) complaint(status syscall.WaitStatus) error {
	data, err := os.ReadFile(filepath.Join(c.Dir, Log))
	if err != nil {
		return err
	}
	lines := strings.Split(string(bytes.TrimSpace(data)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return errors.New(last)
	}
	return fmt.Errorf("it ended with status %d and no word", status)
}

// process is a hull-net that comes up.
type process struct{ pid int }

// start starts hull-net in a session of its own; one of several at once goes on, and the others end at once.
func (c *Client) start() (*process, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	environ := append(failpoint.Environ(), "PATH="+os.Getenv("PATH"), "HOME=/")
	p, err := os.StartProcess(c.Command[0], c.Command, &os.ProcAttr{
		Dir: "/", Env: environ, Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Command[0], err)
	}
	child := &process{p.Pid}
	return child, p.Release()
}

// ended reports whether the process has ended, and how.
func (c *process) ended() (syscall.WaitStatus, bool) {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(c.pid, &status, syscall.WNOHANG, nil)
	return status, err == nil && pid == c.pid
}
