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
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// Handler does a job. It may call progress from any goroutine until it returns.
type Handler func(ctx context.Context, r Request, progress func(Progress)) (Result, error)

// Serve is hull-image's side: it reads the request from descriptor 3, runs handle and writes what comes of it there. The
// context that handle gets ends when hull goes away. The error is for a caller that is not hull.
func Serve(ctx context.Context, handle Handler) error {
	if err := closeInherited(); err != nil {
		return err
	}
	go learnTypes()
	return serve(ctx, &requests{}, os.NewFile(socketFD, "socket"), handle)
}

// learnTypes has encoding/json look at the types of the protocol while the request is on its way.
func learnTypes() {
	_ = (&messages{out: io.Discard}).send(Message{})
	_ = json.Unmarshal([]byte("{}"), &Request{})
}

// requests reads the socket. Files that come along take the places of standard input and output.
type requests struct{}

func (*requests) Read(p []byte) (int, error) {
	oob := make([]byte, unix.CmsgSpace(2*4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(socketFD, p, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("recvmsg", err)
		case oobn > 0:
			if err := takeFiles(oob[:oobn]); err != nil {
				return 0, err
			}
		}
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
}

func takeFiles(oob []byte) error {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for _, m := range messages {
		files, err := unix.ParseUnixRights(&m)
		if err != nil {
			return err
		}
		for i, fd := range files {
			if err := unix.Dup3(fd, i, 0); err != nil {
				return os.NewSyscallError("dup3", err)
			}
			_ = unix.Close(fd)
		}
	}
	return nil
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
		if err != nil || fd <= socketFD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	unix.CloseOnExec(socketFD) // children of this process, which the storage library makes of it, do not need it
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
	if r.Debug {
		slog.SetDefault(slog.New(slog.NewTextHandler(debugLines{w}, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: bare})))
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

// debugLines sends what is logged.
type debugLines struct{ *messages }

func (w debugLines) Write(line []byte) (int, error) {
	return len(line), w.send(Message{Debug: strings.TrimSuffix(string(line), "\n")})
}

// bare leaves out what hull's own line has.
func bare(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
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
