package layer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/vbatts/tar-split/tar/storage"

	"hull.dev/hull/pkg/transfer/chunk"
)

// Pack writes the tar that a layer was unpacked from: files has the contents of its files, and split is what Options.Split got,
// compressed with gzip. It is an error when a file is not what it was.
func Pack(files storage.FileGetter, split io.Reader, w io.Writer) error {
	plain, err := gzip.NewReader(split)
	if err != nil {
		return fmt.Errorf("read the tar-split of a layer: %w", err)
	}
	entries := storage.NewJSONUnpacker(plain)
	whole := chunk.New()
	defer chunk.Free(whole)
	buf := whole[:fileBuffer]
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the tar-split of a layer: %w", err)
		}
		if e.Type == storage.FileType && e.Size > 0 {
			err = packFile(files, e, w, buf)
		} else if e.Type == storage.SegmentType {
			_, err = w.Write(e.Payload)
		}
		if err != nil {
			return err
		}
	}
}

// packFile writes the content of a file.
func packFile(files storage.FileGetter, e *storage.Entry, w io.Writer, buf []byte) error {
	file, err := files.Get(e.GetName())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the file %q of a layer is gone; was the image removed meanwhile?: %w", e.GetName(), err)
	}
	if err != nil {
		return err
	}
	sum, err := copySum(w, file, buf)
	err = errors.Join(err, file.Close())
	if err == nil && (len(e.Payload) != 8 || binary.BigEndian.Uint64(e.Payload) != sum) {
		err = fmt.Errorf("the file %q of a layer is not what it was when the layer was unpacked", e.GetName())
	}
	return err
}
