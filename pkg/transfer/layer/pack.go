package layer

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/vbatts/tar-split/tar/asm"
	"github.com/vbatts/tar-split/tar/storage"
)

// Pack writes the tar that a layer was unpacked from: files has the contents of its files, and split is what Options.Split got,
// compressed with gzip. It is an error when a file is not what it was.
func Pack(files storage.FileGetter, split io.Reader, w io.Writer) error {
	plain, err := gzip.NewReader(split)
	if err != nil {
		return fmt.Errorf("read the tar-split of a layer: %w", err)
	}
	return asm.WriteOutputTarStream(files, storage.NewJSONUnpacker(plain), w)
}
