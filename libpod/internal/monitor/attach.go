package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/define"
)

// Streams are the caller's ends of a container's stdio. A nil one is not served: what arrives for it is thrown away.
type Streams struct {
	Stdin      io.Reader // read until its end, or until the process has
	Stdout     io.Writer
	Stderr     io.Writer
	DetachKeys string           // as in podman-attach(1), "" for none; looked for in Stdin
	Resize     <-chan [2]uint16 // height, width; each goes to the container's terminal, past stdin
}

// Attach copies between the streams and the container until the process has ended for good, and returns how. The errors:
// ErrDetached; ErrGone; context.Cause(ctx), upon which the container runs on; that of a writer, which has detached too.
//
// A Stdin that is an *os.File, or has SetReadDeadline, is left alone when Attach returns. Of any other a read may still be
// under way: the caller closes it.
func (s *Session) Attach(ctx context.Context, streams Streams) (define.Exit, error) {
	keys, err := ParseDetachKeys(streams.DetachKeys)
	if err != nil {
		return define.Exit{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	var feeders sync.WaitGroup
	release := func() {}
	defer func() {
		cancel(nil) // ends the feeders
		stop()
		feeders.Wait()
		release()
	}()
	if streams.Stdin != nil && s.wants.Stdin {
		in, waits, done := interruptible(ctx, streams.Stdin)
		release = done
		feed := func() {
			if err := s.feed(in, &keyScanner{keys: keys}); err != nil {
				cancel(err)
			}
		}
		if waits {
			feeders.Go(feed)
		} else {
			go feed() // ends when the caller closes Stdin
		}
	}
	if streams.Resize != nil {
		feeders.Go(func() { s.followSize(ctx, streams.Resize) })
	}
	exit, err := s.copyOut(streams)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, ErrDetached) {
		_ = s.send(protocol.FrameDetach, nil)
	}
	return exit, err
}

// Wait waits for the end of the process.
func (s *Session) Wait(ctx context.Context) (define.Exit, error) { return s.Attach(ctx, Streams{}) }

// copyOut hands out the container's output until Exited.
func (s *Session) copyOut(streams Streams) (define.Exit, error) {
	for {
		t, payload, err := s.frames.Next()
		if err != nil {
			return s.exit(err)
		}
		var to io.Writer
		switch t {
		case protocol.FrameStdout:
			to = streams.Stdout
		case protocol.FrameStderr:
			to = streams.Stderr
		case protocol.FrameExited:
			e, err := protocol.ParseExit(payload)
			return define.Exit{Code: e.Code, At: e.At, OOM: e.OOM, Restarts: e.Restarts}, err
		case protocol.FrameDropped:
			return define.Exit{}, fmt.Errorf("attach: the monitor ended the connection: %s", payload)
		default: // Started after Attach to a container between two runs
		}
		if to == nil {
			continue
		}
		if _, err := to.Write(payload); err != nil {
			return define.Exit{}, fmt.Errorf("write output: %w", err)
		}
	}
}

// feed sends stdin until its end. Only ErrDetached is of interest to the caller: when the connection fails, copyOut knows
// why; when the reader does, the container's stdin ends as at the end of a file.
func (s *Session) feed(in io.Reader, keys *keyScanner) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		through, detached := keys.scan(buf[:n])
		if len(through) > 0 && s.send(protocol.FrameStdin, through) != nil {
			return nil //nolint:nilerr // copyOut knows why
		}
		switch {
		case detached:
			return ErrDetached
		case errors.Is(err, errInterrupted), errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			_ = s.send(protocol.FrameStdinEOF, nil)
			return nil //nolint:nilerr // the end, for the container
		}
	}
}

// followSize passes sizes on over a connection of its own, so that they do not queue behind stdin.
func (s *Session) followSize(ctx context.Context, sizes <-chan [2]uint16) {
	for {
		select {
		case <-ctx.Done():
			return
		case size, ok := <-sizes:
			if !ok {
				return
			}
			_ = Resize(s.dir, size[0], size[1]) // a container that has just ended has no size
		}
	}
}
