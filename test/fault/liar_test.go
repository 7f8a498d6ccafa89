package fault

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
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
}

func newPacker(t *testing.T, format string) *packer {
	t.Helper()
	p := &packer{t: t, diff: sha256.New()}
	var err error
	if p.packed = gzip.NewWriter(&p.out); format == "zstd" {
		p.packed, err = zstd.NewWriter(&p.out, zstd.WithEncoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Writer = tar.NewWriter(io.MultiWriter(p.diff, p.packed))
	return p
}

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

// serve starts the registry with the layer that was packed.
func (p *packer) serve() *liar {
	p.t.Helper()
	if err := p.Close(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.packed.Close(); err != nil {
		p.t.Fatal(err)
	}
	l := &liar{t: p.t, layer: p.out.Bytes(), diff: fmt.Sprintf("sha256:%x", p.diff.Sum(nil)), manifestType: "application/vnd.oci.image.manifest.v1+json"}
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
