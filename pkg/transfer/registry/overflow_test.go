package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"testing/iotest"

	"hull.dev/hull/pkg/transfer/chunk"
)

// reading is an overflow as an io.Reader.
type reading struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no place for it
	stream *overflow
}

func (r reading) Read(p []byte) (int, error) { return r.stream.read(r.ctx, p) }

func from(r io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	}
}

// TestOverflow: what comes out is what went in, be the reader behind, ahead, or the one after the other.
func TestOverflow(t *testing.T) {
	data := make([]byte, 3*keptPieces*chunk.Size+7)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	size := int64(len(data))
	t.Run("behind", func(t *testing.T) {
		o := newOverflow(emptyFile(t))
		if err := o.fill(t.Context(), from(bytes.NewReader(data)), size); err != nil {
			t.Fatal(err)
		}
		if len(o.kept) != keptPieces || o.to == 0 {
			t.Errorf("%d pieces are kept, and %d bytes", len(o.kept), o.to)
		}
		if got, err := io.ReadAll(reading{t.Context(), o}); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("ahead", func(t *testing.T) {
		o := newOverflow(emptyFile(t))
		in, out := io.Pipe()
		filled := make(chan error, 1)
		go func() { filled <- o.fill(t.Context(), from(in), size) }()
		var got []byte
		for rest, r := data, (reading{t.Context(), o}); len(rest) > 0; {
			n := min(len(rest), chunk.Size)
			if _, err := out.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			if len(rest) == 0 {
				_ = out.Close()
			}
			part := make([]byte, n)
			if _, err := io.ReadFull(r, part); err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
		if err := <-filled; err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if o.to != 0 {
			t.Errorf("%d bytes went through the file", o.to)
		}
	})
	t.Run("in turn", func(t *testing.T) {
		o := newOverflow(emptyFile(t))
		filled := make(chan error, 1)
		go func() { filled <- o.fill(t.Context(), from(iotest.HalfReader(bytes.NewReader(data))), size) }()
		got, err := io.ReadAll(iotest.HalfReader(reading{t.Context(), o}))
		if err := errors.Join(err, <-filled); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("waiting", func(t *testing.T) {
		o := newOverflow(nil)
		filled := make(chan error, 1)
		go func() { filled <- o.fill(t.Context(), from(iotest.HalfReader(bytes.NewReader(data))), size) }()
		got, err := io.ReadAll(iotest.HalfReader(reading{t.Context(), o}))
		if err := errors.Join(err, <-filled, o.close()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// TestOverflowEnds: the reader gets the writer's error, after what came before it.
func TestOverflowEnds(t *testing.T) {
	broken := errors.New("broken")
	o := newOverflow(emptyFile(t))
	if err := o.fill(t.Context(), from(io.MultiReader(bytes.NewReader([]byte("some")), iotest.ErrReader(broken))), -1); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got, err := io.ReadAll(reading{t.Context(), o}); string(got) != "some" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
	o = newOverflow(emptyFile(t))
	if err := o.fill(t.Context(), from(bytes.NewReader([]byte("some"))), 5); err == nil {
		t.Error("a byte is missing, and nobody says so")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := newOverflow(emptyFile(t)).read(ctx, make([]byte, 1)); !errors.Is(err, broken) {
		t.Errorf("cancelled: %v", err)
	}
	for _, file := range []*os.File{nil, emptyFile(t)} {
		if err := newOverflow(file).fill(ctx, from(rand.NewChaCha8([32]byte{})), -1); !errors.Is(err, broken) {
			t.Errorf("cancelled while it is written: %v", err)
		}
	}
	// One whom nobody reads waits, and ends with ctx.
	ctx, cancel = context.WithCancelCause(t.Context())
	waits, o := make(chan error, 1), newOverflow(nil)
	go func() { waits <- o.fill(ctx, from(rand.NewChaCha8([32]byte{})), -1) }()
	for len(o.room) < waitedPieces {
		runtime.Gosched()
	}
	cancel(broken)
	if err := <-waits; !errors.Is(err, broken) {
		t.Errorf("cancelled while it waits: %v", err)
	}
}
