// Package layer unpacks the layers of images: it makes their files, and learns on the way what the store wants to know of them.
//
// The storage library has a program for each compression, one more of its own that makes the files, and moves each byte through
// four pipes between them (docs/design/0009). Here one process does it, in three steps that work beside each other:
//
//	packed ──> decompress ──> check: digest, tar-split, limits ──> files
//
// A layer comes from a stranger. No byte gets to the last step before the headers in it are checked, and the last step
// works in a thread whose root is the layer's folder, so that no path leads out of it.
package layer

import (
	"cmp"
	"context"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage/pkg/archive"
	"go.podman.io/storage/pkg/unshare"
	"golang.org/x/sync/errgroup"

	"hull.dev/hull/pkg/transfer/chunk"
)

// Options are where a layer goes.
type Options struct {
	Dir  string // an empty folder, which becomes the layer's root folder
	Size int64  // how many bytes there are to be unpacked; less than 0 when it is not known

	// Split gets what the tar has beside the contents of its files: entries of tar-split, a JSON document on each line, out of
	// which the store makes the same tar again.
	Split io.Writer

	// Entry, if there is one, is asked before an entry of the tar goes on: its name, its kind (tar.TypeReg and so on) and what it
	// links to. Its error ends the unpacking.
	Entry func(name string, kind byte, link string) error

	// Grow is told of bytes that the layer is about to become, before they are written. Its error ends the unpacking.
	Grow func(bytes int64) error
}

// Layer is what was unpacked.
type Layer struct {
	DiffID     digest.Digest // of the tar
	Size       int64         // of the tar, in bytes
	UIDs, GIDs []uint32      // that own files of it
	RootMode   *os.FileMode  // of the root folder; nil when the tar has no entry for it
}

// Unpack unpacks a layer: a tar, as it is or compressed with gzip, zstd, bzip2 or xz. Files of the layers below that it
// hides become what overlayfs hides them with. packed is read to its end. After an error there may be anything in the folder.
func Unpack(ctx context.Context, packed io.Reader, o Options) (*Layer, error) {
	rootless := unshare.IsRootless() // asks /proc, and remembers
	plain, checked, free := newFlow(), newFlow(), make(chan []byte, buffers)
	for range buffers {
		free <- chunk.New()
	}
	made := newChecking(o)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer func() { plain.end(err) }()
		return decompress(ctx, packed, o.Size, plain, free)
	})
	g.Go(func() (err error) {
		defer func() { checked.end(err) }()
		return made.check(&flowReader{ctx: ctx, from: plain, read: func(buf []byte) error {
			_, _ = made.digest.Hash().Write(buf) // a hash takes everything
			made.Size += int64(len(buf))
			return checked.send(ctx, buf)
		}})
	})
	g.Go(func() error {
		r := &flowReader{ctx: ctx, from: checked, read: func(buf []byte) error {
			free <- buf[:chunk.Size] // it has room for all there are
			return nil
		}}
		return inRoot(o.Dir, func() error {
			err := archive.Unpack(r, "/", &archive.TarOptions{WhiteoutFormat: archive.OverlayWhiteoutFormat, InUserNS: rootless})
			if err == nil {
				_, err = io.Copy(io.Discard, r) // what comes after the end of the tar
			}
			return err
		})
	})
	if err := g.Wait(); err != nil {
		return nil, cmp.Or(plain.err, checked.err, err) // that of the step which began it
	}
	close(free) // every step is through with all of them
	for buf := range free {
		chunk.Free(buf)
	}
	return made.layer(), nil
}
