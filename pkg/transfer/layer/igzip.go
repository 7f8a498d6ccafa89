package layer

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/transfer/chunk"
	"hull.dev/hull/pkg/transfer/jail"
	"hull.dev/hull/pkg/transfer/toggle"
)

// igzipVariable is the environment variable that, as "off", leaves gzip to Go also where there is igzip.
const igzipVariable = "HULL_IGZIP"

// igzipFrom is from how many packed bytes on the start of igzip is worth its while.
const igzipFrom = 1 << 20

// pipeSize is how many bytes lie in a pipe at most, as many as a user may have (pipe(7)): with fewer, who waits is woken more often, and
// that takes longer than the unpacking.
const pipeSize = 1 << 20

// igzip is the program of ISA-L that unpacks gzip three times as fast as Go does (docs/design/0017), or "".
var igzip = sync.OnceValues(func() (string, error) {
	on, err := toggle.On(igzipVariable)
	if !on {
		return "", err
	}
	path, _ := exec.LookPath("igzip")
	return path, nil
})

// igunzipping is a gzip file that igzip unpacks, in a jail. That it unpacks it right is found out by who compares digests.
type igunzipping struct {
	cmd  *exec.Cmd
	out  *os.File
	said said
	kill context.CancelFunc
	fed  chan error // gets why what is packed could not be read, or nil
	err  error      // of Read, from its end on
}

// igunzip unpacks the gzip file in buf, which has size bytes. It returns nil, with nothing read, where Go had better do it.
func igunzip(ctx context.Context, buf *bufio.Reader, size int64) (io.ReadCloser, error) {
	program, err := igzip()
	if err != nil || program == "" || size >= 0 && size < igzipFrom {
		return nil, err
	}
	z := &igunzipping{cmd: exec.Command(program, "-d", "-c"), fed: make(chan error, 1)} //nolint:noctx // its context is the jail's
	in, err := z.start(ctx)
	if err != nil {
		slog.Debug("igzip does not unpack this layer", "error", err)
		return nil, nil
	}
	slog.Debug("igzip unpacks this layer", "bytes", size)
	go func() {
		defer in.Close()
		z.fed <- feed(ctx, buf, in)
	}()
	return z, nil
}

// start starts igzip, and returns the pipe that it reads.
func (z *igunzipping) start(ctx context.Context) (*os.File, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	defer stdout.Close()
	for _, pipe := range []*os.File{stdin, stdout} {
		_, _ = unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a small one does too
	}
	z.cmd.Stdin, z.cmd.Stdout, z.cmd.Stderr = stdin, stdout, &z.said
	z.cmd.Dir, z.cmd.Env = "/", []string{} // there may be credentials in ours
	ctx, z.kill = context.WithCancel(ctx)
	if err := jail.Start(ctx, z.cmd); err != nil {
		z.kill()
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	z.out = out
	return in, nil
}

// feed hands on what is packed until it ends, or until igzip has what it wants: the rest is not part of the gzip file.
func feed(ctx context.Context, packed io.Reader, to *os.File) error {
	buf := chunk.New()
	defer chunk.Free(buf)
	for ctx.Err() == nil {
		n, err := packed.Read(buf)
		if _, gone := to.Write(buf[:n]); gone != nil {
			return nil // why it has gone, igzip says
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (z *igunzipping) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	n, err := z.out.Read(p)
	if err != nil {
		z.err = cmp.Or(z.end(), err)
	}
	return n, z.err
}

// end waits for igzip, and returns why it has not unpacked all there is.
func (z *igunzipping) end() error {
	defer z.kill() // the thread that it would have died with
	_ = z.out.Close()
	read, err := <-z.fed, z.cmd.Wait()
	switch {
	case read != nil || err == nil:
		return read
	case strings.Contains(z.said.String(), "complete gzip file"):
		return io.ErrUnexpectedEOF // as Go has it
	}
	slog.Debug("igzip has failed", "error", err, "stderr", z.said.String())
	return errors.New("it is damaged: igzip cannot unpack it")
}

// Close ends it before its end.
func (z *igunzipping) Close() error {
	if z.err == nil {
		z.kill()
		z.err = os.ErrClosed
		_ = z.end() // it was killed
	}
	return nil
}

// said is the beginning of what a program says.
type said struct{ strings.Builder }

func (s *said) Write(p []byte) (int, error) {
	_, _ = s.Builder.Write(p[:min(len(p), 256-s.Len())])
	return len(p), nil
}
