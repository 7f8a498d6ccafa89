package layer

import (
	"context"
	"io"
)

// buffers is how many chunks of a layer there are at most. A step that is ahead waits for the next one.
const buffers = 6

// flow leads chunks from one step to the next.
type flow struct {
	chunk chan []byte
	err   error // why it ended before it was whole; not to be read before chunk is closed
}

func newFlow() *flow { return &flow{chunk: make(chan []byte)} }

func (f *flow) send(ctx context.Context, chunk []byte) error {
	select {
	case f.chunk <- chunk:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end is what the sending step says last: nil, or why no more comes.
func (f *flow) end(err error) {
	f.err = err
	close(f.chunk)
}

// flowReader reads the chunks of a flow, and hands each on when it is read and more is wanted.
type flowReader struct {
	ctx         context.Context //nolint:containedctx // io.Reader has no place for it
	from        *flow
	read        func(chunk []byte) error
	chunk, rest []byte
}

func (r *flowReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.chunk != nil {
			if err := r.read(r.chunk); err != nil {
				return 0, err
			}
			r.chunk = nil
		}
		select {
		case chunk, ok := <-r.from.chunk:
			if !ok && r.from.err != nil {
				return 0, r.from.err
			}
			if !ok {
				return 0, io.EOF
			}
			r.chunk, r.rest = chunk, chunk
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
