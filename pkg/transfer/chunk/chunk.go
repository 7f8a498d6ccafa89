// Package chunk has the buffers in which a layer goes from one step to the next: large, so that a step wakes the next one
// seldom, and used again, because the kernel clears the pages of each new one.
package chunk

import (
	"io"
	"sync"
)

// Size is how many bytes a chunk has room for.
const Size = 256 << 10

var pool = sync.Pool{New: func() any { return new([Size]byte) }}

// New is a chunk with anything in it.
func New() []byte { return pool.Get().(*[Size]byte)[:] } //nolint:forcetypeassert // nothing else is in there

// Free gives a chunk back, or what was cut of its end.
func Free(chunk []byte) { pool.Put((*[Size]byte)(chunk[:Size])) }

// Fill reads until the chunk is full, and returns how many bytes it got and r's own error: not io.ErrUnexpectedEOF, as
// io.ReadFull does, for what only ends in the middle of a chunk.
func Fill(r io.Reader, chunk []byte) (n int, err error) {
	for n < len(chunk) && err == nil {
		var more int
		more, err = r.Read(chunk[n:])
		n += more
	}
	return n, err
}
