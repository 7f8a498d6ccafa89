package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"hull.dev/hull/pkg/errs"
)

// What an overflow keeps in memory of what is not read yet: so many pieces at most, of so many bytes.
const (
	keptPieces = 24
	pieceSize  = 256 << 10
)

// overflow is a stream that never keeps its writer waiting: what the reader is behind by lies in memory, and more than that
// in a file. It has one of each.
type overflow struct {
	file *os.File

	mu       sync.Mutex
	more     chan struct{} // closed, and another made, whenever there is more
	kept     [][]byte      // to be read first
	from, to int64         // the part of the file that is to be read then
	err      error         // why there is no more; io.EOF when it is whole

	piece, rest []byte // the reader's: one of kept, and what is unread of it
}

func newOverflow(file *os.File) *overflow { return &overflow{file: file, more: make(chan struct{})} }

// fill writes r into the stream, to its end. size is negative when it is not known.
func (o *overflow) fill(r io.Reader, size int64) error {
	err := o.copy(r, size)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
	if err == nil {
		o.err = io.EOF
	}
	close(o.more)
	return err
}

func (o *overflow) copy(r io.Reader, size int64) error {
	for written := int64(0); ; {
		piece := newPiece()
		n, err := 0, error(nil)
		for n < len(piece) && err == nil {
			var more int
			more, err = r.Read(piece[n:])
			n += more
		}
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

// pieces are those that nobody has.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

func newPiece() []byte { return pieces.Get().(*[pieceSize]byte)[:] } //nolint:forcetypeassert // nothing else is in there

func giveBack(piece []byte) { pieces.Put((*[pieceSize]byte)(piece[:pieceSize])) }

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
		giveBack(piece)
		if err != nil {
			return fmt.Errorf("keep what was read of a layer: %w", err)
		}
		o.to += int64(len(piece))
	}
	close(o.more)
	o.more = make(chan struct{})
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
			giveBack(o.piece)
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
