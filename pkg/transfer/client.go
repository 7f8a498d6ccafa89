package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long hull-image may take to put the store in order after its job was cancelled.
const grace = 10 * time.Second

// Client starts hull-image.
type Client struct {
	Path string   // of the executable
	Env  []string // its environment; nil is hull's own. What tells the storage library of rootless must be in it.

	// Early returns a hull-image that was executed before the client was there, once; nil: there is none.
	Early func() *Started

	mu    sync.Mutex
	ahead chan *process // of one that Ahead starts; nil: there is none
}

// Ahead starts a hull-image for the next Run, beside what the caller does until then: it takes as long as looking an image
// up. release, which is called in the end, ends one that got no job.
func (c *Client) Ahead() (release func()) {
	started := make(chan *process, 1)
	c.mu.Lock()
	c.ahead = started
	c.mu.Unlock()
	go func() { started <- c.start() }()
	return func() {
		if p := c.take(); p != nil {
			p.release()
		}
	}
}

// take is the process that Ahead has started, once.
func (c *Client) take() *process {
	c.mu.Lock()
	started := c.ahead
	c.ahead = nil
	c.mu.Unlock()
	if started == nil {
		return nil
	}
	return <-started
}

// Run does a job in a new hull-image. stdin is what it reads when the request has no Path; nil is /dev/null. onProgress
// may be nil; it is called from one goroutine and must not block for long. When ctx ends, hull-image undoes and stops.
func (c *Client) Run(ctx context.Context, r Request, stdin *os.File, onProgress func(Progress)) (Result, error) {
	r.Version, r.Debug = version, slog.Default().Enabled(ctx, slog.LevelDebug)
	request, err := json.Marshal(r)
	if err != nil {
		return Result{}, err
	}
	p := c.take()
	if p == nil {
		p = c.start()
	}
	if p.err != nil {
		return Result{}, p.err
	}
	defer p.socket.Close()
	stop := context.AfterFunc(ctx, func() {
		p.hangUp()
		time.AfterFunc(grace, p.kill)
	})
	defer stop()
	if err := p.ask(append(request, '\n'), stdin, r.Output); err != nil {
		p.kill()
		_ = p.wait() // it tells that it was killed
		return Result{}, err
	}
	result, err := receive(p.socket, onProgress)
	if err != nil && errors.Is(err, errLongLine) {
		p.kill()
	}
	if err == nil {
		go func() { _ = p.wait() }() // the job is done; what is left is to give its memory back, which takes milliseconds
		return *result, nil
	}
	ended := p.wait()
	switch {
	case ctx.Err() != nil:
		return Result{}, context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET):
		return Result{}, died(ended, p.lastWords())
	}
	return Result{}, err
}

// start is the process that was executed early, if it is the one that is wanted, or a new one.
func (c *Client) start() *process {
	if c.Early != nil {
		if s := c.Early(); s != nil {
			p := newProcess(*s)
			if s.Path == c.Path {
				return p
			}
			p.release()
		}
	}
	s, err := execute(c.Path, c.Env)
	if err != nil {
		return &process{err: err}
	}
	return newProcess(s)
}

// receive reads until the answer.
func receive(r io.Reader, onProgress func(Progress)) (*Result, error) {
	buf := bufio.NewReader(r)
	for {
		line, err := readLine(buf)
		if err != nil {
			return nil, err
		}
		var m Message
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("hull-image's answer makes no sense: %w", err)
		}
		switch {
		case m.Error != nil:
			return nil, m.Error.Err()
		case m.Result != nil:
			return m.Result, nil
		case m.Progress != nil && onProgress != nil:
			onProgress(*m.Progress)
		case m.Debug != "":
			slog.Debug("hull-image says", "line", m.Debug)
		}
	}
}

// died is the error for a process that ended without an answer.
func died(ended error, stderr string) error {
	how := "without a word"
	if ended != nil {
		how = ended.Error()
	}
	if stderr != "" {
		return fmt.Errorf("hull-image ended before its job was done: %s: %s", how, stderr)
	}
	return fmt.Errorf("hull-image ended before its job was done: %s", how)
}
