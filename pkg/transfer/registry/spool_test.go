package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"
)

func testSpool(t *testing.T) *spool {
	t.Helper()
	return newSpool(emptyFile(t))
}

// emptyFile is open until the test ends.
func emptyFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestSpoolIsReadWhileItComes(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	s := testSpool(t)
	in, out := io.Pipe()
	filled := make(chan error, 1)
	go func() { filled <- s.fill(in, digest.FromBytes(data), int64(len(data))) }()
	first := s.reader(t.Context())
	got := make([]byte, 1000)
	if _, err := out.Write(data[:2000]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, got); err != nil || !bytes.Equal(got, data[:1000]) {
		t.Fatalf("before the end: %v", err)
	}
	go func() {
		_, err := out.Write(data[2000:])
		_ = out.CloseWithError(err)
	}()
	for name, r := range map[string]io.Reader{"first": io.MultiReader(bytes.NewReader(got), first), "second": s.reader(t.Context())} {
		if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, data) {
			t.Errorf("%s reader: %d bytes, %v", name, len(all), err)
		}
	}
	if err := <-filled; err != nil {
		t.Error(err)
	}
}

func TestSpoolEndsWellOrNotAtAll(t *testing.T) {
	data := []byte("hello")
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		r    io.Reader
		want digest.Digest
		size int64
		says string
	}{
		"whole":         {bytes.NewReader(data), digest.FromBytes(data), 5, ""},
		"unknown size":  {bytes.NewReader(data), digest.FromBytes(data), -1, ""},
		"another":       {strings.NewReader("hellO"), digest.FromBytes(data), 5, "is not what this digest says"},
		"too short":     {strings.NewReader("hell"), digest.FromBytes(data), 5, "has 4 bytes and not 5"},
		"broken":        {io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken)), digest.FromBytes(data), 5, "broken"},
		"digest of air": {bytes.NewReader(data), "sha256:x", 5, "digest"},
	} {
		s := testSpool(t)
		err := s.fill(c.r, c.want, c.size)
		_, readErr := io.ReadAll(s.reader(t.Context()))
		for _, err := range []error{err, readErr} {
			if (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
		}
	}
}

func TestSpoolReaderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	s := testSpool(t)
	read := make(chan error)
	go func() {
		_, err := io.ReadAll(s.reader(ctx))
		read <- err
	}()
	cancel(why)
	if err := <-read; !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}
