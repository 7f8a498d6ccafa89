package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"time"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
)

const (
	// patience is how long nothing may come of a blob before its connection counts as broken.
	patience = time.Minute
	// progress is how many bytes more of a blob give it all its tries again.
	progress = 1 << 20
)

var errStalled = errors.New("the registry sends nothing any more")

// steady is an image in a registry whose blobs are read to their end over connections that break: from where one broke,
// with a pause that grows, as often as the request says. The library asks for the rest once, and then once for each
// megabyte; when that one question fails, or nothing comes, it is over. A blob may not be longer than the manifest says.
type steady struct {
	types.ImageReference
	job *job
}

// NewImageSource opens the image.
func (s steady) NewImageSource(ctx context.Context, sys *types.SystemContext) (types.ImageSource, error) {
	return wrapped(ctx, sys, s.ImageReference, func(src types.ImageSource) types.ImageSource { return &steadySource{src, s.job} })
}

// wrapped opens an image and puts wrap around its source, unless it has signatures that would be lost so.
func wrapped(ctx context.Context, sys *types.SystemContext, ref types.ImageReference, wrap func(types.ImageSource) types.ImageSource) (types.ImageSource, error) {
	src, err := ref.NewImageSource(ctx, sys)
	if err != nil {
		return nil, err
	}
	ok, err := lossless(ctx, sys, src)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	if !ok {
		return src, nil
	}
	return wrap(src), nil
}

// lossless reports whether an image has no signatures but of GnuPG: the library asks its own sources alone for others.
func lossless(ctx context.Context, sys *types.SystemContext, src types.ImageSource) (bool, error) {
	all := []*image.UnparsedImage{image.UnparsedInstance(src, nil)}
	instance, err := instanceFor(ctx, sys, src)
	if err != nil {
		return false, err
	}
	if instance != nil {
		all = append(all, image.UnparsedInstance(src, instance))
	}
	for _, u := range all {
		every, err1 := u.UntrustedSignatures(ctx)
		simple, err2 := u.Signatures(ctx)
		if err := errors.Join(err1, err2); err != nil || len(every) != len(simple) {
			return false, err
		}
	}
	return true, nil
}

// instanceFor is the image for the platform in a list, and nil for what is an image itself.
func instanceFor(ctx context.Context, sys *types.SystemContext, src types.ImageSource) (*digest.Digest, error) {
	data, mediaType, err := image.UnparsedInstance(src, nil).Manifest(ctx)
	if err != nil || !manifest.MIMETypeIsMultiImage(mediaType) {
		return nil, err
	}
	list, err := manifest.ListFromBlob(data, mediaType)
	if err != nil {
		return nil, err
	}
	d, err := list.ChooseInstance(sys)
	return &d, err
}

// steadySource is the library's source with blobs that do not break.
type steadySource struct {
	types.ImageSource
	job *job
}

// GetBlob opens a blob.
func (s *steadySource) GetBlob(ctx context.Context, info types.BlobInfo, cache types.BlobInfoCache) (io.ReadCloser, int64, error) {
	b := &steadyBlob{
		ctx: ctx, info: info, tries: s.job.tries(), size: info.Size, stage: s.job.stage,
		from: func(ctx context.Context, offset int64) (r io.ReadCloser, size int64, err error) {
			if offset == 0 {
				return s.ImageSource.GetBlob(ctx, info, cache)
			}
			r, err = openAt(ctx, s.ImageSource, info, offset)
			return r, info.Size, err
		},
	}
	size, err := b.open() //nolint:contextcheck // its context is the blob's, and that is ctx
	if err != nil {
		return nil, 0, err
	}
	if b.size < 0 {
		b.size = size
	}
	return b, size, nil
}

// steadyBlob is a blob on its way. It is read by one goroutine.
type steadyBlob struct {
	ctx   context.Context //nolint:containedctx // io.Reader has no place for it
	from  func(ctx context.Context, offset int64) (io.ReadCloser, int64, error)
	info  types.BlobInfo
	tries *tries
	stage *stage

	body    io.ReadCloser
	stop    context.CancelCauseFunc // of the connection
	patient *time.Timer             // calls stop
	offset  int64                   // of what was read
	since   int64                   // offset when it broke last
	size    int64                   // negative: not known
}

// open opens the blob at the offset, with as many tries as there are.
func (b *steadyBlob) open() (int64, error) {
	for {
		ctx, stop := context.WithCancelCause(b.ctx)
		b.stop = stop
		b.patient = time.AfterFunc(patience, func() { stop(errStalled) })
		body, size, err := b.from(ctx, b.offset)
		if err == nil {
			b.body = body
			return size, nil
		}
		err = b.why(ctx, err)
		b.close()
		if err := b.tries.wait(b.ctx, err); err != nil {
			return 0, err
		}
	}
}

// why is the error of a connection: what the library makes of one that was given up says little.
func (b *steadyBlob) why(ctx context.Context, err error) error {
	if b.ctx.Err() == nil && errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("%w for %s", errStalled, patience)
	}
	return err
}

// Read reads on. Where the connection breaks, it goes on with another.
func (b *steadyBlob) Read(p []byte) (int, error) {
	b.patient.Reset(patience)
	n, err := b.body.Read(p)
	b.patient.Stop()
	b.offset += int64(n)
	b.stage.packed.Add(int64(n))
	if b.size >= 0 && b.offset > b.size {
		return 0, errs.Invalid("the registry sends more of %s than the %d bytes that the manifest says", b.info.Digest, b.size)
	}
	if err == nil || errors.Is(err, io.EOF) && (b.size < 0 || b.offset == b.size) || b.ctx.Err() != nil {
		return n, err
	}
	if b.offset-b.since >= progress {
		b.tries.done = 0
	}
	b.since = b.offset
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	b.close()
	if err := b.tries.wait(b.ctx, err); err != nil {
		return n, err
	}
	if _, err := b.open(); err != nil {
		return n, err
	}
	return n, nil
}

func (b *steadyBlob) close() {
	b.patient.Stop()
	if b.body != nil {
		_ = b.body.Close()
		b.body = nil
	}
	b.stop(nil)
}

// Close ends the connection.
func (b *steadyBlob) Close() error {
	b.close()
	return nil
}

// openAt opens a blob from an offset on. The library's sources can do that, for its own partial pulls, by a method whose
// types are internal to it: GetBlobAt(context.Context, types.BlobInfo, []struct{Offset, Length uint64}) (chan
// io.ReadCloser, chan error, error). TestPullResumes fails when they no longer do.
func openAt(ctx context.Context, src types.ImageSource, info types.BlobInfo, offset int64) (io.ReadCloser, error) {
	method := reflect.ValueOf(src).MethodByName("GetBlobAt")
	if !method.IsValid() {
		return nil, errors.New("the library does not read blobs from an offset")
	}
	chunks := reflect.MakeSlice(method.Type().In(2), 1, 1)
	chunks.Index(0).FieldByName("Offset").SetUint(uint64(offset))
	chunks.Index(0).FieldByName("Length").SetUint(math.MaxUint64)
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(info), chunks})
	streams, ok := reflect.TypeAssert[chan io.ReadCloser](out[0])
	failed, ok2 := reflect.TypeAssert[chan error](out[1])
	err, _ := reflect.TypeAssert[error](out[2])
	if err != nil || !ok || !ok2 {
		return nil, err
	}
	select {
	case r, ok := <-streams:
		if ok {
			return r, nil
		}
	case err := <-failed:
		if err != nil {
			return nil, err
		}
	}
	return nil, io.ErrUnexpectedEOF
}
