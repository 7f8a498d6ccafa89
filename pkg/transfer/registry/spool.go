package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer/chunk"
)

// spool is a blob that is read while it comes: one goroutine fills it, others read it from its beginning, each by a reader
// of its own, and wait where it ends. That it is what its digest says is known at its end: until then a reader gets no EOF.
type spool struct {
	coming

	file    *os.File
	written int64
}

func newSpool(file *os.File) *spool {
	return &spool{file: file, coming: coming{more: make(chan struct{})}}
}

// fill writes r into the spool. size is negative when it is not known.
func (s *spool) fill(r io.Reader, want digest.Digest, size int64) error {
	err := s.copy(r, want, size)
	s.end(err)
	return err
}

func (s *spool) copy(r io.Reader, want digest.Digest, size int64) error {
	if err := want.Validate(); err != nil {
		return errs.Invalid("digest %q: %v", want, err)
	}
	check := want.Verifier()
	buf := chunk.New()
	defer chunk.Free(buf)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			_, _ = check.Write(buf[:n]) // a hash takes everything
			if _, err := s.file.WriteAt(buf[:n], s.written); err != nil {
				return fmt.Errorf("keep blob %s: %w", want, err)
			}
			s.grow(int64(n))
		}
		switch {
		case errors.Is(err, io.EOF) && size >= 0 && s.written != size:
			return errs.Invalid("blob %s has %d bytes and not %d", want, s.written, size)
		case errors.Is(err, io.EOF) && !check.Verified():
			return errs.Invalid("what came as blob %s is not what this digest says", want)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (s *spool) grow(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += n
	s.tell()
}

// whole waits until the spool is filled, and returns why it is not.
func (s *spool) whole(ctx context.Context) error {
	for {
		s.mu.Lock()
		more, err := s.more, s.err
		s.mu.Unlock()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// reader reads the spool from its beginning, until ctx ends.
func (s *spool) reader(ctx context.Context) *spoolReader { return &spoolReader{ctx: ctx, spool: s} }

// idle reports whether there is something to read that nobody reads, or nothing any more.
func (r *spoolReader) idle() bool {
	r.spool.mu.Lock()
	defer r.spool.mu.Unlock()
	return r.spool.written > r.offset.Load() || r.spool.err != nil
}

type spoolReader struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no place for it
	spool  *spool
	offset atomic.Int64
}

func (r *spoolReader) Read(p []byte) (int, error) {
	for {
		s := r.spool
		s.mu.Lock()
		more, left, err := s.more, s.written-r.offset.Load(), s.err
		s.mu.Unlock()
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		if left > 0 {
			n, err := s.file.ReadAt(p[:min(int64(len(p)), left)], r.offset.Load())
			r.offset.Add(int64(n))
			return n, err
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-more:
		case <-r.ctx.Done():
		}
	}
}
