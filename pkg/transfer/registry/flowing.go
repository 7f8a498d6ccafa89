package registry

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
)

// flowing is an image of the store whose layers are read while they are taken out of it. The library writes a layer to a
// file first, so that the store is locked no longer than that takes, and begins to pack and send it when all of it is
// there; here the two go beside each other, some layers at once, and a reader that is slow keeps no lock either: there is none, or what it
// is behind by goes to a file.
type flowing struct {
	types.ImageReference
	job   *job
	store storage.Store
}

// NewImageSource opens the image.
func (f flowing) NewImageSource(ctx context.Context, sys *types.SystemContext) (types.ImageSource, error) {
	debug.SetGCPercent(packGarbage)
	return wrapped(ctx, sys, f.ImageReference, func(src types.ImageSource) types.ImageSource {
		return &flowingSource{src, f.job, f.store, make(chan struct{}, runtime.NumCPU())}
	})
}

// packGarbage is how much garbage the collector lets lie while layers are packed, in percent of what is in use (GOGC): with the usual 100
// a push takes half as much memory again, and no less time. Less would have it at work all the time, since packing takes large buffers anew
// for each layer.
const packGarbage = 50

type flowingSource struct {
	types.ImageSource
	job   *job
	store storage.Store
	turns chan struct{} // one for each layer that is read
}

// turnTime is how long a layer is read at most before the next one may be. The library copies six layers at once and packs each
// as it comes, in buffers of up to 16 MB: more of them than there are processors to pack are no faster, and cost the time
// in which the kernel clears their pages. One that takes longer waits for the network.
const turnTime = time.Second

// GetBlob opens a blob.
func (f *flowingSource) GetBlob(ctx context.Context, info types.BlobInfo, cache types.BlobInfoCache) (_ io.ReadCloser, _ int64, err error) {
	layers, err := f.store.LayersByUncompressedDigest(info.Digest)
	if err != nil || len(layers) == 0 || layers[0].UncompressedSize < 0 {
		return f.ImageSource.GetBlob(ctx, info, cache) // no layer, or one that is known by another digest
	}
	release, err := f.turn(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	t, err := f.tar(layers[0])
	if err != nil {
		return nil, 0, err
	}
	var file *os.File
	if t.locked { // and is not to be for as long as the layer takes to be sent
		if file, err = f.job.stage.unnamed(); err != nil {
			return nil, 0, errors.Join(err, t.close())
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	b := &flowingBlob{ctx: ctx, stream: newOverflow(file), stop: cancel, filled: make(chan struct{}), release: release}
	go func() { // ends with the layer, or soon after Close
		defer close(b.filled)
		err := b.stream.fill(ctx, t.write, layers[0].UncompressedSize)
		if closeErr := t.close(); err == nil && closeErr != nil { // what has been read is what it is
			cancel(closeErr)
		}
	}()
	return b, layers[0].UncompressedSize, nil
}

// turn waits until a layer may be read. release ends its turn, if time has not.
func (f *flowingSource) turn(ctx context.Context) (release func(), err error) {
	select {
	case f.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	release = sync.OnceFunc(func() { <-f.turns })
	time.AfterFunc(turnTime, release)
	return release, nil
}

// flowingBlob is a layer on its way out.
type flowingBlob struct {
	ctx     context.Context //nolint:containedctx // io.Reader has no place for it
	stream  *overflow
	stop    context.CancelCauseFunc
	filled  chan struct{} // closed when the store is let go
	release func()        // of its turn
}

// Read reads the layer.
func (b *flowingBlob) Read(p []byte) (int, error) {
	n, err := b.stream.read(b.ctx, p)
	if err != nil {
		b.release()
	}
	return n, err
}

// Close lets go of the store and of the file.
func (b *flowingBlob) Close() error {
	b.release()
	b.stop(context.Canceled)
	<-b.filled
	return b.stream.close()
}
