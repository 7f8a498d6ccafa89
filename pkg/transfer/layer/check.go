package layer

import (
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/vbatts/tar-split/archive/tar"
	"github.com/vbatts/tar-split/tar/storage"
	"go.podman.io/storage/pkg/archive"

	"hull.dev/hull/pkg/transfer/chunk"
	"hull.dev/hull/pkg/transfer/crc"
)

// checking reads a tar for what is to be known of it.
type checking struct {
	Layer

	entry      func(name string, kind byte, link string) error
	grow       func(bytes int64) error
	split      storage.Packer
	digest     digest.Digester
	uids, gids map[uint32]bool
}

func newChecking(o Options) *checking {
	return &checking{
		entry: o.Entry, grow: o.Grow, split: storage.NewJSONPacker(o.Split), digest: digest.Canonical.Digester(),
		uids: map[uint32]bool{}, gids: map[uint32]bool{},
	}
}

// layer is what was learned.
func (c *checking) layer() *Layer {
	l := c.Layer
	l.DiffID = c.digest.Digest()
	l.UIDs, l.GIDs = slices.Sorted(maps.Keys(c.uids)), slices.Sorted(maps.Keys(c.gids))
	return &l
}

// fileBuffer is how many bytes of a file are read at once: they are in the processor's cache when they go on.
const fileBuffer = 32 << 10

// check reads the tar to its end, and what comes after it.
func (c *checking) check(r io.Reader) error {
	t := tar.NewReader(r)
	t.RawAccounting = true // it keeps the bytes between the contents
	whole := chunk.New()
	defer chunk.Free(whole)
	buf := whole[:fileBuffer]
	for {
		h, err := t.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := c.between(t.RawBytes()); err != nil {
			return err
		}
		if err != nil {
			return c.after(r, buf)
		}
		if err := c.file(h, t, buf); err != nil {
			return err
		}
		if err := c.between(t.RawBytes()); err != nil {
			return err
		}
	}
}

// between keeps bytes that are not the content of a file.
func (c *checking) between(raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	if err := c.grow(int64(len(raw))); err != nil {
		return err
	}
	_, err := c.split.AddEntry(storage.Entry{Type: storage.SegmentType, Payload: raw})
	return err
}

// after keeps what comes after the end of the tar, which is zeros mostly.
func (c *checking) after(r io.Reader, buf []byte) error {
	for {
		n, err := r.Read(buf)
		if err := c.between(buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// file notes an entry.
func (c *checking) file(h *tar.Header, content io.Reader, buf []byte) error {
	if c.entry != nil {
		if err := c.entry(h.Name, h.Typeflag, h.Linkname); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(path.Base(h.Name), archive.WhiteoutPrefix) {
		c.uids[uint32(h.Uid)], c.gids[uint32(h.Gid)] = true, true
	}
	if path.Clean("/"+h.Name) == "/" {
		mode := h.FileInfo().Mode() & (os.ModePerm | os.ModeSetuid | os.ModeSetgid | os.ModeSticky)
		c.RootMode = &mode
	}
	entry := storage.Entry{Type: storage.FileType, Size: h.Size}
	entry.SetName(h.Name)
	if h.Size > 0 {
		if err := c.grow(h.Size); err != nil { // all of it: a file of holes is short here, and long on the disk
			return err
		}
		sum, err := copySum(io.Discard, content, buf)
		if err != nil {
			return err
		}
		entry.Payload = binary.BigEndian.AppendUint64(nil, sum)
	}
	_, err := c.split.AddEntry(entry)
	return err
}

// copySum copies a file of a layer by way of buf, and returns the checksum that tar-split has of it.
func copySum(w io.Writer, r io.Reader, buf []byte) (sum uint64, err error) {
	for {
		n, err := r.Read(buf)
		sum = crc.Update(sum, buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return 0, err
		}
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
