package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// Handler does a job. It may call progress from any goroutine until it returns.
type Handler func(ctx context.Context, r Request, progress func(Progress)) (Result, error)

// Serve is hull-image's side: it reads the request from descriptor 3, runs handle and writes what comes of it to
// descriptor 4. The context that handle gets ends when hull goes away. The error is for a caller that is not hull.
func Serve(ctx context.Context, handle Handler) error {
	if err := closeInherited(); err != nil {
		return err
	}
	return serve(ctx, os.NewFile(requestFD, "request"), os.NewFile(answerFD, "answer"), handle)
}

// closeInherited closes what hull's caller had open and hull passed on without knowing: descriptors over the protocol's
// that an exec would inherit again. Go opens its own with close-on-exec.
func closeInherited() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= answerFD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	// Children of this process, which the storage library makes of it, need neither of these.
	unix.CloseOnExec(requestFD)
	unix.CloseOnExec(answerFD)
	return nil
}

func serve(ctx context.Context, in io.Reader, out io.Writer, handle Handler) error {
	buf := bufio.NewReader(in)
	line, err := readLine(buf)
	var r Request
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return fmt.Errorf("hull-image is started by hull, which gives it its job on descriptor 3: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // lives as long as hull does, which is at most as long as this process
		_, _ = io.Copy(io.Discard, buf)
		cancel(context.Canceled)
	}()
	w := &messages{out: out}
	if r.Version != version {
		return w.send(Message{Error: errs.NewFailure(errs.Invalid(
			"hull-image speaks version %d and hull %d of their protocol; both have to be of one release", version, r.Version,
		), maxLine/4)})
	}
	result, err := handle(ctx, r, func(p Progress) { _ = w.send(Message{Progress: &p}) })
	if err != nil {
		return w.send(Message{Error: errs.NewFailure(err, maxLine/4)})
	}
	return w.send(Message{Result: &result})
}

// messages writes whole lines, from many goroutines.
type messages struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *messages) send(m Message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.out.Write(append(data, '\n'))
	return err
}

var errLongLine = errors.New("a line is longer than the protocol allows")

// readLine returns one line of at most maxLine bytes, without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, errLongLine
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, err
		default:
			return line[:len(line)-1], nil
		}
	}
}
