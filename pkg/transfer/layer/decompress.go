package layer

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.podman.io/storage/pkg/archive"
)

// maxWindow is how many bytes back a zstd layer may refer: as many as the zstd program takes (zstd(1), --memory).
const maxWindow = 128 << 20

// decompress sends the tar in packed on, in chunks from free.
func decompress(ctx context.Context, packed io.Reader, to *flow, free chan []byte) error {
	buf := readers.Get().(*bufio.Reader) //nolint:forcetypeassert // nothing else is in there
	buf.Reset(packed)
	defer func() {
		buf.Reset(nil)
		readers.Put(buf)
	}()
	r, err := decompressor(buf)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		var chunk []byte
		select {
		case chunk = <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		n := 0
		for n < len(chunk) && err == nil {
			var more int
			more, err = r.Read(chunk[n:])
			n += more
		}
		if n == 0 {
			free <- chunk // it has room for all there are
		} else if err := to.send(ctx, chunk[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, buf) // its end says whether it was whole
			return err
		}
		if err != nil {
			return err
		}
	}
}

// readers are those that nobody has.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, chunkSize/2) }}

// decompressor reads what is in buf. The end of it is the end of buf.
func decompressor(buf *bufio.Reader) (io.ReadCloser, error) {
	head, err := buf.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch archive.DetectCompression(head) {
	case archive.Uncompressed:
		return io.NopCloser(buf), nil
	case archive.Gzip:
		r, err := gzip.NewReader(buf)
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return &members{r, buf}, nil
	case archive.Zstd:
		// One goroutine: there are other steps, and other layers, for the other processors.
		r, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return r.IOReadCloser(), nil
	default:
		return archive.DecompressStream(buf)
	}
}

// members reads the members of a gzip file (RFC 1952, section 2.2), and ends with what is none: zeros and the like come
// after the last one of some layers, and pigz and gzip ignore them too.
type members struct {
	*gzip.Reader

	buf *bufio.Reader
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	head, _ := m.buf.Peek(2) // an error comes again when the rest is read
	if string(head) != "\x1f\x8b" {
		return n, io.EOF
	}
	if err := m.Reset(m.buf); err != nil {
		return n, err
	}
	m.Multistream(false)
	return n, nil
}
