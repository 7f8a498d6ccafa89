package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer/chunk"
)

// keptPieces is how many chunks an overflow keeps in memory of what is not read yet.
const keptPieces = 24

// overflow is a stream that never keeps its writer waiting: what the reader is behind by lies in memory, and more than that
// in a file. It has one of each.
type overflow struct {
	coming

	file     *os.File
	kept     [][]byte // to be read first
	from, to int64    // the part of the file that is to be read then

	piece, rest []byte // the reader's: one of kept, and what is unread of it
}

func newOverflow(file *os.File) *overflow {
	return &overflow{file: file, coming: coming{more: make(chan struct{})}}
}

// fill writes r into the stream, to its end. size is negative when it is not known.
func (o *overflow) fill(r io.Reader, size int64) error {
	err := o.copy(r, size)
	o.end(err)
	return err
}

func (o *overflow) copy(r io.Reader, size int64) error {
	for written := int64(0); ; {
		piece := chunk.New()
		n, err := chunk.Fill(r, piece)
		written += int64(n)
		if err := o.put(piece[:n]); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF) && size >= 0 && written != size:
			return errs.Invalid("a layer has %d bytes and not %d", written, size)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// put adds a piece: to the file while there is something in it, or too much in memory.
func (o *overflow) put(piece []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from == o.to && len(o.kept) < keptPieces {
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
