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

	"hull.dev/hull/pkg/transfer/chunk"
)

// maxWindow is how many bytes back a zstd layer may refer: as many as the zstd program takes (zstd(1), --memory).
const maxWindow = 128 << 20

// decompress sends the tar in packed on, in chunks from free.
func decompress(ctx context.Context, packed io.Reader, size int64, to *flow, free chan []byte) error {
	in := readers.Get().(*bufio.Reader) //nolint:forcetypeassert // nothing else is in there
	in.Reset(packed)
	defer func() {
		in.Reset(nil)
		readers.Put(in)
	}()
	r, err := decompressor(ctx, in, size)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		n, err := chunk.Fill(r, buf)
		if n == 0 {
			free <- buf // it has room for all there are
		} else if err := to.send(ctx, buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, in) // its end says whether it was whole
			return err
		}
		if err != nil {
			return err
		}
	}
}

// readers are those that nobody has.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, chunk.Size/2) }}

// decompressor reads what is in buf, which has size bytes. The end of it is the end of buf.
func decompressor(ctx context.Context, buf *bufio.Reader, size int64) (io.ReadCloser, error) {
	head, err := buf.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch archive.DetectCompression(head) {
	case archive.Uncompressed:
		return io.NopCloser(buf), nil
	case archive.Gzip:
		return gunzip(ctx, buf, size)
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

// Gunzip unpacks a gzip file of size bytes, less than 0 when that is not known. Close ends it before its end.
func Gunzip(ctx context.Context, packed io.Reader, size int64) (io.ReadCloser, error) {
	return gunzip(ctx, bufio.NewReaderSize(packed, chunk.Size/2), size)
}

func gunzip(ctx context.Context, buf *bufio.Reader, size int64) (io.ReadCloser, error) {
	if r, err := igunzip(ctx, buf, size); r != nil || err != nil {
		return r, err
	}
	r, err := gzip.NewReader(buf)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	return &members{r, buf}, nil
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
