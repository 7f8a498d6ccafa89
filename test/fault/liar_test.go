package fault

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// liar is a registry of one image x:1, of one layer, that says what a case wants it to say.
type liar struct {
	*httptest.Server
	t                           *testing.T
	manifest, config, layer     []byte
	manifestType                string
	layerPath, configPath, diff string

	answer func(w http.ResponseWriter, r *http.Request) bool // false: as it should be
}

func sum(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// packer makes a layer: what is written to it is its tar, packed.
type packer struct {
	*tar.Writer
	t      *testing.T
	out    bytes.Buffer
	diff   hash.Hash
	packed io.WriteCloser
	raw    io.Writer // what the tar's writer writes to
}

func newPacker(t *testing.T, format string) *packer {
	t.Helper()
	p := &packer{t: t, diff: sha256.New()}
	p.packed = packing(t, format, &p.out)
	p.raw = io.MultiWriter(p.diff, p.packed)
	p.Writer = tar.NewWriter(p.raw)
	return p
}

// packing packs what is written to it: with gzip, which "" is, zstd, xz, or "none".
func packing(t *testing.T, format string, out io.Writer) io.WriteCloser {
	t.Helper()
	var w io.WriteCloser
	var err error
	switch format {
	case "none":
		w = unpackedWriter{out}
	case "zstd":
		w, err = zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
	case "xz":
		cmd := exec.CommandContext(t.Context(), "xz", "-1", "-T1")
		cmd.Stdout = out
		var in io.WriteCloser
		if in, err = cmd.StdinPipe(); err == nil {
			w, err = xzWriter{in, cmd}, cmd.Start()
		}
	default:
		w = gzip.NewWriter(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type unpackedWriter struct{ io.Writer }

func (unpackedWriter) Close() error { return nil }

type xzWriter struct {
	io.WriteCloser
	cmd *exec.Cmd
}

func (w xzWriter) Close() error { return errors.Join(w.WriteCloser.Close(), w.cmd.Wait()) }

// add adds an entry; its contents are size zero bytes.
func (p *packer) add(h tar.Header) {
	p.t.Helper()
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.Mode == 0 {
		h.Mode = 0o755
	}
	if err := p.WriteHeader(&h); err != nil {
		p.t.Fatal(err)
	}
	zeros := make([]byte, min(h.Size, 1<<20))
	for left := h.Size; left > 0; {
		n, err := p.Write(zeros[:min(left, int64(len(zeros)))])
		if err != nil {
			p.t.Fatal(err)
		}
		left -= int64(n)
	}
}

// sparse adds a file in the form of GNU tar's that has so many bytes, of which the last 512 alone are there.
func (p *packer) sparse(name string, size int64) {
	p.t.Helper()
	var block [512]byte
	octal := func(at, length int, n int64) { copy(block[at:at+length-1], fmt.Sprintf("%0*o", length-1, n)) }
	binary := func(at int, n int64) { // for what 11 octal digits do not hold
		block[at] = 0x80
		for i := range 8 {
			block[at+11-i] = byte(n >> (8 * i))
		}
	}
	copy(block[:], name)
	octal(100, 8, 0o644)
	octal(108, 8, 0)
	octal(116, 8, 0)
	octal(124, 12, 512)
	octal(136, 12, 0)
	copy(block[148:156], "        ")
	block[156] = tar.TypeGNUSparse
	copy(block[257:], "ustar  \x00")
	binary(386, size-512)
	binary(398, 512)
	binary(483, size)
	sum := int64(0)
	for _, b := range block {
		sum += int64(b)
	}
	copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
	if err := p.Flush(); err != nil {
		p.t.Fatal(err)
	}
	for range 2 { // the header, and some block as what is there
		if _, err := p.raw.Write(block[:]); err != nil {
			p.t.Fatal(err)
		}
	}
}

// pack ends the layer: its bytes, and the digest of its tar.
func (p *packer) pack() (layer []byte, diff string) {
	p.t.Helper()
	if err := p.Close(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.packed.Close(); err != nil {
		p.t.Fatal(err)
	}
	return p.out.Bytes(), fmt.Sprintf("sha256:%x", p.diff.Sum(nil))
}

// serve starts the registry with the layer that was packed.
func (p *packer) serve() *liar {
	p.t.Helper()
	layer, diff := p.pack()
	l := &liar{t: p.t, layer: layer, diff: diff, manifestType: "application/vnd.oci.image.manifest.v1+json"}
	mediaType := "application/vnd.oci.image.layer.v1.tar+gzip"
	if _, ok := p.packed.(*zstd.Encoder); ok {
		mediaType = "application/vnd.oci.image.layer.v1.tar+zstd"
	}
	l.config = fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`, l.diff)
	l.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		l.manifestType, sum(l.config), len(l.config), mediaType, sum(l.layer), len(l.layer))
	l.layerPath, l.configPath = "/v2/x/blobs/"+sum(l.layer), "/v2/x/blobs/"+sum(l.config)
	l.Server = httptest.NewServer(l)
	p.t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

func (l *liar) name() string { return strings.TrimPrefix(l.URL, "http://") + "/x:1" }

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.answer != nil && l.answer(w, r) {
		return
	}
	switch path := r.URL.Path; {
	case path == "/v2/":
	case strings.HasPrefix(path, "/v2/x/manifests/"):
		w.Header().Set("Content-Type", l.manifestType)
		_, _ = w.Write(l.manifest)
	case path == l.configPath:
		_, _ = w.Write(l.config)
	case path == l.layerPath:
		w.Header().Set("Content-Length", fmt.Sprint(len(l.layer)))
		_, _ = w.Write(l.layer)
	default:
		http.NotFound(w, r)
	}
}

// endless writes the layer and then zeros until nobody listens.
func (l *liar) endless(w http.ResponseWriter) {
	_, err := w.Write(l.layer)
	for zeros := make([]byte, 1<<20); err == nil; {
		_, err = w.Write(zeros)
	}
}
