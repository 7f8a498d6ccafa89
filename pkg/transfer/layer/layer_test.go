package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/vbatts/tar-split/tar/asm"
	"github.com/vbatts/tar-split/tar/storage"
	"golang.org/x/sys/unix"
)

// entry is a file of a test's layer.
type entry struct {
	name, link, data string
	kind             byte
	mode             int64
	uid              int
}

func packed(t *testing.T, list ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range list {
		h := &tar.Header{
			Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: e.mode, Uid: e.uid, Size: int64(len(e.data)), ModTime: time.Unix(1e9, 0),
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func free(int64) error { return nil }

func forRoot(t *testing.T) {
	t.Helper()
	if unix.Geteuid() != 0 {
		t.Skip("chroot(2) is for root")
	}
}

// small is a size of which Go unpacks gzip.
const small = igzipFrom - 1

// decoders are the sizes by which each way to unpack gzip is chosen.
func decoders(t *testing.T) map[string]int64 {
	t.Helper()
	if program, err := igzip(); err != nil || program == "" {
		t.Log("only Go's way to unpack gzip: no igzip here (Debian's isal)")
		return map[string]int64{"Go": small}
	}
	return map[string]int64{"Go": small, "igzip": igzipFrom}
}

// unpack unpacks what is said to have so many bytes into a new folder.
func unpack(t *testing.T, r io.Reader, size int64, grow func(int64) error) (made *Layer, dir, split string, err error) {
	t.Helper()
	forRoot(t)
	dir = t.TempDir()
	var out bytes.Buffer
	made, err = Unpack(t.Context(), r, Options{Dir: dir, Size: size, Split: &out, Grow: grow})
	return made, dir, out.String(), err
}

var some = []entry{
	{name: "etc/", kind: tar.TypeDir, mode: 0o750, uid: 7},
	{name: "etc/passwd", kind: tar.TypeReg, mode: 0o4755, data: "root\n", uid: 8},
	{name: "etc/empty", kind: tar.TypeReg, mode: 0o600},
	{name: "etc/link", link: "passwd", kind: tar.TypeSymlink},
	{name: "etc/hard", link: "etc/passwd", kind: tar.TypeLink, mode: 0o4755, uid: 8},
	{name: "etc/.wh.gone", kind: tar.TypeReg, uid: 99},
	{name: "opaque/.wh..wh..opq", kind: tar.TypeReg},
	{name: strings.Repeat("long/", 60) + "\xff\xfe", kind: tar.TypeReg, mode: 0o644, data: strings.Repeat("x", 1000)},
	{name: "big", kind: tar.TypeReg, mode: 0o644, data: strings.Repeat("0123456789", 50_000)},
}

// TestUnpack: each compression makes the same files, and what is learned is what the libraries say of the tar.
func TestUnpack(t *testing.T) {
	plain := append(packed(t, some...), make([]byte, 1<<20+512)...) // tars end with as many zeros as they like
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	in, done, err := asm.NewInputTarStreamWithDone(bytes.NewReader(plain), storage.NewJSONPacker(&want), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	half := len(plain) / 2
	for name, data := range map[string][]byte{
		"plain": plain, "gzip": gzipped(t, plain), "zstd": encoder.EncodeAll(plain, nil),
		"two members": append(gzipped(t, plain[:half]), gzipped(t, plain[half:])...),
		"padded":      append(gzipped(t, plain), make([]byte, 512)...), "and a byte": append(gzipped(t, plain), 'x'),
		"padded much": append(gzipped(t, plain), make([]byte, 5<<20)...),
	} {
		for how, size := range decoders(t) {
			t.Run(name+" by "+how, func(t *testing.T) {
				grown := int64(0)
				l, dir, split, err := unpack(t, iotest.HalfReader(bytes.NewReader(data)), size, func(n int64) error { grown += n; return nil })
				if err != nil {
					t.Fatal(err)
				}
				if l.DiffID != digest.FromBytes(plain) || l.Size != int64(len(plain)) || !slices.Equal(l.UIDs, []uint32{0, 7, 8}) ||
					!slices.Equal(l.GIDs, []uint32{0}) || l.RootMode != nil {
					t.Errorf("it is %+v", l)
				}
				if grown < int64(len(plain))-1<<10 || grown > int64(len(plain)) {
					t.Errorf("it grew by %d bytes, of %d", grown, len(plain))
				}
				// Padding is split where reads end, so the bytes are what counts.
				if content(t, split) != content(t, want.String()) {
					t.Error("tar-split is not what the library makes")
				}
				checkFiles(t, dir)
			})
		}
	}
}

// TestPack: what was unpacked becomes the same tar again, and not when a file is another.
func TestPack(t *testing.T) {
	plain := append(packed(t, some...), make([]byte, 4096)...)
	_, dir, split, err := unpack(t, bytes.NewReader(plain), small, free)
	if err != nil {
		t.Fatal(err)
	}
	zipped := gzipped(t, []byte(split))
	var out bytes.Buffer
	if err := Pack(storage.NewPathFileGetter(dir), bytes.NewReader(zipped), &out); err != nil || !bytes.Equal(out.Bytes(), plain) {
		t.Errorf("%d bytes of %d, %v", out.Len(), len(plain), err)
	}
	if err := Pack(storage.NewPathFileGetter(dir), strings.NewReader(split), io.Discard); err == nil {
		t.Error("a tar-split that is not packed was read")
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Pack(storage.NewPathFileGetter(dir), bytes.NewReader(zipped), io.Discard); err == nil || !strings.Contains(err.Error(), `"big"`) {
		t.Errorf("of a layer with another file: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "big")); err != nil {
		t.Fatal(err)
	}
	err = Pack(storage.NewPathFileGetter(dir), bytes.NewReader(zipped), io.Discard)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "removed meanwhile") {
		t.Errorf("of a layer without a file: %v", err)
	}
}

// content is a tar-split whose segments that follow each other are one.
func content(t *testing.T, split string) string {
	t.Helper()
	u := storage.NewJSONUnpacker(strings.NewReader(split))
	var out strings.Builder
	for {
		e, err := u.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == storage.FileType {
			out.WriteString("|" + e.GetName() + "|")
		}
		out.WriteString(hex.EncodeToString(e.Payload))
	}
}

func checkFiles(t *testing.T, dir string) {
	t.Helper()
	stat := func(name string) unix.Stat_t {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &st); err != nil {
			t.Error(err)
		}
		return st
	}
	if st := stat("etc"); st.Mode != unix.S_IFDIR|0o750 || st.Uid != 7 || st.Mtim.Sec != 1e9 {
		t.Errorf("etc: %o %d %d", st.Mode, st.Uid, st.Mtim.Sec)
	}
	passwd := stat("etc/passwd")
	if passwd.Mode != unix.S_IFREG|0o4755 || passwd.Uid != 8 || passwd.Nlink != 2 || stat("etc/hard").Ino != passwd.Ino {
		t.Errorf("etc/passwd: %o %d %d", passwd.Mode, passwd.Uid, passwd.Nlink)
	}
	if to, err := os.Readlink(filepath.Join(dir, "etc/link")); err != nil || to != "passwd" {
		t.Errorf("etc/link: %q, %v", to, err)
	}
	if st := stat("etc/gone"); st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
		t.Errorf("etc/gone is no whiteout: %o", st.Mode)
	}
	opaque := make([]byte, 8)
	n, err := unix.Getxattr(filepath.Join(dir, "opaque"), "trusted.overlay.opaque", opaque)
	if err != nil || string(opaque[:n]) != "y" {
		t.Errorf("opaque: %q, %v", opaque, err)
	}
	for _, e := range some[len(some)-2:] {
		if data, err := os.ReadFile(filepath.Join(dir, e.name)); err != nil || string(data) != e.data {
			t.Errorf("%q: %d bytes, %v", e.name, len(data), err)
		}
	}
}

// TestRootFolder: a tar may say what its root folder is like.
func TestRootFolder(t *testing.T) {
	l, dir, _, err := unpack(t, bytes.NewReader(packed(t, entry{name: "./", kind: tar.TypeDir, mode: 0o1711})), small, free)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || st.Mode&0o7777 != 0o1711 {
		t.Errorf("%o, %v", st.Mode, err)
	}
	if l.RootMode == nil || *l.RootMode != 0o711|os.ModeSticky {
		t.Errorf("%v", l.RootMode)
	}
}

// TestEmpty: a layer of no bytes is one without files.
func TestEmpty(t *testing.T) {
	if l, _, _, err := unpack(t, strings.NewReader(""), small, free); err != nil || l.Size != 0 || l.DiffID != digest.FromString("") {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestStaysInside: what a layer names is in its folder, whatever its links say.
func TestStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, list := range map[string][]entry{
		"up":            {{name: "../" + filepath.Base(outside) + "/bad", kind: tar.TypeReg, data: "x"}},
		"absolute link": {{name: "l", link: outside, kind: tar.TypeSymlink}, {name: "l/bad", kind: tar.TypeReg, data: "x"}},
		"relative link": {{name: "l", link: "../../../../../../.." + outside, kind: tar.TypeSymlink}, {name: "l/bad", kind: tar.TypeReg, data: "x"}},
		"hard link":     {{name: "h", link: "../../../../../../../etc/passwd", kind: tar.TypeLink}},
		"root is a link": {
			{name: "./", link: outside, kind: tar.TypeSymlink},
			{name: "bad", kind: tar.TypeReg, data: "x"},
		},
	} {
		_, dir, _, err := unpack(t, bytes.NewReader(packed(t, list...)), small, free)
		if left, readErr := os.ReadDir(outside); readErr != nil || len(left) > 0 {
			t.Errorf("%s: %v is outside, %v", name, left, readErr)
		}
		var st unix.Stat_t
		if unix.Lstat(filepath.Join(dir, "h"), &st) == nil && st.Size > 0 {
			t.Errorf("%s: it has a file of the machine, %v", name, err)
		}
	}
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Errorf("the process has another root now: %v", err)
	}
}

var errEnough = errors.New("enough")

// TestLimit: nothing is written of what is refused, be it all hole.
func TestLimit(t *testing.T) {
	limit := func(n int64) error {
		if n > 400_000 {
			return errEnough
		}
		return nil
	}
	zeros := entry{name: "zeros", kind: tar.TypeReg, mode: 0o644, data: strings.Repeat("\x00", 8<<20)} // more than the steps take
	for how, size := range decoders(t) {
		_, dir, _, err := unpack(t, bytes.NewReader(gzipped(t, packed(t, append(some, zeros)...))), size, limit)
		if !errors.Is(err, errEnough) {
			t.Errorf("by %s: %v", how, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "big")); err == nil {
			t.Errorf("by %s: what is too big is there", how)
		}
	}
	// GNU tar's sparse file of two gigabytes with nothing in it (tar(5), "GNU tar archives").
	const size = "20000000000"
	header := packed(t, entry{name: "hole", kind: tar.TypeReg, mode: 0o644})[:512]
	header[156] = 'S'
	copy(header[257:], "ustar  \x00")
	copy(header[386:], size+"\x00") // where the only piece of it begins
	copy(header[398:], "00000000000\x00")
	copy(header[483:], size+"\x00")
	copy(header[148:], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], octal(sum))
	_, dir, _, err := unpack(t, bytes.NewReader(append(header, make([]byte, 1024)...)), small, limit)
	if !errors.Is(err, errEnough) {
		t.Errorf("a hole: %v", err)
	}
	if st, err := os.Lstat(filepath.Join(dir, "hole")); err == nil && st.Size() > 0 {
		t.Error("the hole was written")
	}
}

// octal is a checksum as a tar header has it.
func octal(sum int) string {
	text := []byte("000000\x00 ")
	for i := 5; sum > 0; i-- {
		text[i] = byte('0' + sum%8)
		sum /= 8
	}
	return string(text)
}

// TestBroken: what ends too early or is not what it says is an error, with the reader's own words.
func TestBroken(t *testing.T) {
	whole := gzipped(t, packed(t, some...))
	cut := errors.New("the network went")
	for how, size := range decoders(t) {
		for name, c := range map[string]struct {
			r    io.Reader
			want error
		}{
			"cut":                         {bytes.NewReader(whole[:len(whole)/2]), io.ErrUnexpectedEOF},
			"wrong checksum":              {bytes.NewReader(append(slices.Clone(whole[:len(whole)-8]), make([]byte, 8)...)), nil},
			"reader fails":                {io.MultiReader(bytes.NewReader(whole[:1000]), iotest.ErrReader(cut)), cut},
			"fails after the end":         {io.MultiReader(bytes.NewReader(packed(t, some[0])), iotest.ErrReader(cut)), cut},
			"fails after the last member": {io.MultiReader(bytes.NewReader(append(slices.Clone(whole), 0, 0)), iotest.ErrReader(cut)), cut},
			"half a second member":        {bytes.NewReader(append(slices.Clone(whole), whole[:5]...)), io.ErrUnexpectedEOF},
			"no tar":                      {strings.NewReader(strings.Repeat("not a tar ", 1000)), nil},
			"no tar, packed":              {bytes.NewReader(gzipped(t, bytes.Repeat([]byte("not a tar "), 1<<20))), nil},
			"same path twice":             {bytes.NewReader(packed(t, some[1], some[1])), storage.ErrDuplicatePath},
		} {
			_, _, _, err := unpack(t, c.r, size, free)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s, by %s: %v, want %v", name, how, err, c.want)
			}
		}
	}
}

// TestGunzip: all members, nothing of what comes after them, and an end in the middle.
func TestGunzip(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	file := slices.Concat(gzipped(t, data[:1<<20]), gzipped(t, data[1<<20:]), make([]byte, 5000))
	for how, size := range decoders(t) {
		r, err := Gunzip(t.Context(), bytes.NewReader(file), size)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("by %s: %d bytes of %d, %v", how, len(got), len(data), err)
		}
		if r, err = Gunzip(t.Context(), bytes.NewReader(file), size); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
			t.Errorf("by %s: %v", how, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("by %s, closed in the middle: %v", how, err)
		}
	}
}

// TestEndsWithContext: a layer that stops coming is given up with the context.
func TestEndsWithContext(t *testing.T) {
	forRoot(t)
	whole := packed(t, some[0])
	for name, c := range map[string]struct {
		begin []byte
		size  int64
	}{"plain": {whole[:512], small}, "gzip, by igzip": {gzipped(t, whole)[:50], igzipFrom}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		in, out := io.Pipe()
		go func() {
			_, _ = out.Write(c.begin)
			cancel(errEnough)
			_ = out.CloseWithError(errEnough)
		}()
		if _, err := Unpack(ctx, in, Options{Dir: t.TempDir(), Size: c.size, Split: io.Discard, Grow: free}); !errors.Is(err, errEnough) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
