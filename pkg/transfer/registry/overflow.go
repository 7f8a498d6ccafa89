package registry

import (
	"context"
	"fmt"
	"io"
	"os"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer/chunk"
)

// How many chunks an overflow keeps in memory of what is not read yet.
const (
	keptPieces   = 24
	waitedPieces = 8 // where its writer waits
)

// overflow is a stream of one writer and one reader. With a file it never keeps its writer waiting: what the reader is behind by lies
// in memory, and more than that in the file. Without one the writer waits.
type overflow struct {
	coming

	file     *os.File
	room     chan struct{} // has one for each of kept; nil where there is a file
	kept     [][]byte      // to be read first
	from, to int64         // the part of the file that is to be read then

	piece, rest []byte // the reader's: one of kept, and what is unread of it
}

// newOverflow has a stream with a file that is empty, or without one, when it is nil.
func newOverflow(file *os.File) *overflow {
	o := &overflow{file: file, coming: coming{more: make(chan struct{})}}
	if file == nil {
		o.room = make(chan struct{}, waitedPieces)
	}
	return o
}

// fill has write put what is to come into the stream, until ctx ends. size is negative when it is not known.
func (o *overflow) fill(ctx context.Context, write func(w io.Writer) error, size int64) error {
	w := &overflowWriter{ctx: ctx, stream: o, piece: chunk.New()}
	err := write(w)
	if flushErr := w.flush(); err == nil {
		err = flushErr
	}
	if err == nil && size >= 0 && w.written != size {
		err = errs.Invalid("a layer has %d bytes and not %d", w.written, size)
	}
	o.end(err)
	return err
}

// overflowWriter gathers what is written in chunks.
type overflowWriter struct {
	ctx     context.Context //nolint:containedctx // io.Writer has no place for it
	stream  *overflow
	piece   []byte
	used    int
	written int64
}

func (w *overflowWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := copy(w.piece[w.used:], rest)
		rest = rest[n:]
		if err := w.add(n); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// add counts bytes that lie in the piece, and hands it over when it is full.
func (w *overflowWriter) add(n int) error {
	w.used += n
	w.written += int64(n)
	if w.used < len(w.piece) {
		return nil
	}
	full := w.piece
	w.piece, w.used = chunk.New(), 0
	return w.stream.put(w.ctx, full)
}

func (w *overflowWriter) flush() error { return w.stream.put(w.ctx, w.piece[:w.used]) }

// put adds a piece: to the file while there is something in it, or too much in memory.
func (o *overflow) put(ctx context.Context, piece []byte) error {
	if o.room != nil {
		select {
		case o.room <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	} else if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.room != nil || o.from == o.to && len(o.kept) < keptPieces {
		o.kept = append(o.kept, piece)
	} else {
		if o.from == o.to {
			o.from, o.to = 0, 0 // its room is used again
		}
		at := o.to
		o.mu.Unlock()
		_, err := o.file.WriteAt(piece, at)
		o.mu.Lock()
		chunk.Free(piece)
		if err != nil {
			return fmt.Errorf("keep what was read of a layer: %w", err)
		}
		o.to += int64(len(piece))
	}
	o.tell()
	return nil
}

// close gives the file back.
func (o *overflow) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// read reads what comes next, and waits for it until ctx ends.
func (o *overflow) read(ctx context.Context, p []byte) (int, error) {
	for {
		if len(o.rest) > 0 {
			n := copy(p, o.rest)
			o.rest = o.rest[n:]
			return n, nil
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		o.mu.Lock()
		if o.piece != nil {
			chunk.Free(o.piece)
			o.piece = nil
		}
		if len(o.kept) > 0 {
			o.piece, o.kept = o.kept[0], o.kept[1:]
			o.rest = o.piece
			if o.room != nil {
				<-o.room
			}
		}
		more, at, left, err := o.more, o.from, o.to-o.from, o.err
		o.mu.Unlock()
		switch {
		case o.piece != nil:
		case left > 0:
			n, err := o.file.ReadAt(p[:min(int64(len(p)), left)], at)
			o.mu.Lock()
			o.from += int64(n)
			o.mu.Unlock()
			return n, err
		case err != nil:
			return 0, err
		default:
			select {
			case <-more:
			case <-ctx.Done():
			}
		}
	}
}
