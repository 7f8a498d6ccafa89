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
	"time"
)

// grace is how long hull-image may take to put the store in order after its job was cancelled.
const grace = 10 * time.Second

// Client starts hull-image.
type Client struct {
	Path string   // of the executable
	Env  []string // its environment; nil is hull's own. What tells the storage library of rootless must be in it.
}

// Run does a job in a new hull-image. stdin is what it reads when the request has no Path; nil is /dev/null. onProgress
// may be nil; it is called from one goroutine and must not block for long. When ctx ends, hull-image undoes and stops.
func (c Client) Run(ctx context.Context, r Request, stdin *os.File, onProgress func(Progress)) (Result, error) {
	r.Version = version
	request, err := json.Marshal(r)
	if err != nil {
		return Result{}, err
	}
	cmd := exec.Command(c.Path) //nolint:noctx // ending the request pipe cancels the job; kill is the last resort below
	cmd.Env, cmd.Dir = c.Env, "/"
	var stderr tail
	cmd.Stderr = &stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if r.Output != nil {
		cmd.Stdout = r.Output
	}
	asks, ask, err := os.Pipe()
	if err != nil {
		return Result{}, err
	}
	answer, answers, err := os.Pipe()
	if err != nil {
		return Result{}, errors.Join(err, asks.Close(), ask.Close())
	}
	defer answer.Close()
	defer ask.Close()
	cmd.ExtraFiles = []*os.File{asks, answers}
	err = startConfined(cmd)
	err = errors.Join(err, asks.Close(), answers.Close())
	if err != nil {
		return Result{}, fmt.Errorf("start %q: %w", c.Path, err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = ask.Close()
		time.AfterFunc(grace, func() { _ = cmd.Process.Kill() })
	})
	defer stop()
	_, _ = ask.Write(append(request, '\n')) // a process that died tells more by its answer than EPIPE does
	result, err := receive(answer, onProgress)
	if err != nil && errors.Is(err, errLongLine) {
		_ = cmd.Process.Kill()
	}
	ended := cmd.Wait()
	switch {
	case ctx.Err() != nil && err != nil:
		return Result{}, context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Result{}, died(ended, stderr.String())
	case err != nil:
		return Result{}, err
	}
	return *result, nil
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
