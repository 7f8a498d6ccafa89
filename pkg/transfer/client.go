package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// grace is how long hull-image may take to put the store in order after its job was cancelled.
const grace = 10 * time.Second

// Client starts hull-image.
type Client struct {
	Path string   // of the executable
	Env  []string // its environment; nil is hull's own. What tells the storage library of rootless must be in it.

	mu    sync.Mutex
	ahead chan *process // of one that Ahead starts; nil: there is none
}

// process is a hull-image that waits for its job.
type process struct {
	cmd    *exec.Cmd
	ask    *os.File // the request goes in here; its end cancels the job
	answer *os.File
	stderr tail
	err    error // why it could not be started
}

// Ahead starts a hull-image for the next Run, beside what the caller does until then: it takes as long as looking an image
// up. A Run that hands it files starts its own. release, which is called in the end, ends one that got no job.
func (c *Client) Ahead() (release func()) {
	started := make(chan *process, 1)
	c.mu.Lock()
	c.ahead = started
	c.mu.Unlock()
	go func() { started <- c.start(nil, nil) }()
	return func() {
		if p := c.take(); p != nil && p.err == nil {
			_ = errors.Join(p.ask.Close(), p.answer.Close())
			go func() { _ = p.cmd.Wait() }()
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
	r.Version = version
	request, err := json.Marshal(r)
	if err != nil {
		return Result{}, err
	}
	var p *process
	if stdin == nil && r.Output == nil {
		p = c.take()
	}
	if p == nil {
		p = c.start(stdin, r.Output)
	}
	if p.err != nil {
		return Result{}, p.err
	}
	defer p.answer.Close()
	defer p.ask.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = p.ask.Close()
		time.AfterFunc(grace, func() { _ = p.cmd.Process.Kill() })
	})
	defer stop()
	_, _ = p.ask.Write(append(request, '\n')) // a process that died tells more by its answer than EPIPE does
	result, err := receive(p.answer, onProgress)
	if err != nil && errors.Is(err, errLongLine) {
		_ = p.cmd.Process.Kill()
	}
	ended := p.cmd.Wait()
	switch {
	case ctx.Err() != nil && err != nil:
		return Result{}, context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Result{}, died(ended, p.stderr.String())
	case err != nil:
		return Result{}, err
	}
	return *result, nil
}

func (c *Client) start(stdin, stdout *os.File) *process {
	p := &process{cmd: exec.Command(c.Path)} //nolint:noctx // ending the request pipe cancels the job; Run's kill is the last resort
	p.cmd.Env, p.cmd.Dir = c.Env, "/"
	p.cmd.Stderr = &p.stderr
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	asks, ask, err := os.Pipe()
	if err != nil {
		p.err = err
		return p
	}
	answer, answers, err := os.Pipe()
	if err != nil {
		p.err = errors.Join(err, asks.Close(), ask.Close())
		return p
	}
	p.ask, p.answer = ask, answer
	p.cmd.ExtraFiles = []*os.File{asks, answers}
	err = startConfined(p.cmd)
	if err = errors.Join(err, asks.Close(), answers.Close()); err != nil {
		p.err = errors.Join(fmt.Errorf("start %q: %w", c.Path, err), ask.Close(), answer.Close())
	}
	return p
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

// tail keeps the end of what is written to it.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	const keep = 64 << 10
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - keep; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

// String is the line that says most: the first of a panic, else the last.
func (t *tail) String() string {
	text := string(bytes.TrimSpace(t.buf))
	if i := strings.Index(text, "panic: "); i >= 0 {
		text, _, _ = strings.Cut(text[i:], "\n")
		return text
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}
