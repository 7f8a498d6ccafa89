package registry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/transfer"
)

// noise is a layer of n bytes that no compression makes less.
func noise(tb testing.TB, n int) []byte {
	tb.Helper()
	data := make([]byte, n)
	if _, err := rand.Read(data); err != nil {
		tb.Fatal(err)
	}
	return makeTar(tb, file{name: "noise", data: string(data)})
}

// piece answers with what a Range asks for, and breaks off after n bytes.
func (l *liar) piece(w http.ResponseWriter, r *http.Request, n int) {
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(l.layer)-1, len(l.layer)))
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(l.layer)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(l.layer[from:min(from+n, len(l.layer))])
}

// TestPullResumes is a layer that comes in pieces, with a server in trouble between them: each byte comes once.
func TestPullResumes(t *testing.T) {
	l := newLiar(t, noise(t, 400_000))
	var ranges []string
	l.blob = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead { // asks for Retry-After
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) == 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		l.piece(w, r, 150_000)
		return true
	}
	r := newRig(t)
	if _, err := r.pull(l, transfer.Pull{Retry: 4, RetryDelay: time.Millisecond}); err != nil {
		t.Fatalf("%v, asked for %q", err, ranges)
	}
	r.clean(1)
	if ranges[0] != "" || slices.Contains(ranges[1:], "") || len(ranges) != 4 {
		t.Errorf("asked for %q", ranges)
	}
}

// TestPullGivesUp is a layer that breaks each time: as many tries as are allowed, and no more of the whole.
func TestPullGivesUp(t *testing.T) {
	l := newLiar(t, noise(t, 100_000))
	var asked atomic.Int32
	l.blob = func(w http.ResponseWriter, r *http.Request) bool {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		l.piece(w, r, 1000)
		return true
	}
	r := newRig(t)
	_, err := r.pull(l, transfer.Pull{Retry: 2, RetryDelay: time.Millisecond})
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n > 8 { // GET, the library's one, two tries; each asks what Retry-After says
		t.Errorf("the blob was asked for %d times", n)
	}
	r.clean(0)
}

// TestRetryAfter is a registry in maintenance that says for how long.
func TestRetryAfter(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	var until atomic.Int64
	l.guard = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		until.CompareAndSwap(0, time.Now().Add(time.Second).UnixNano())
		if time.Now().UnixNano() > until.Load() {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	r := newRig(t)
	if _, err := r.pull(l, transfer.Pull{Retry: 1, RetryDelay: time.Millisecond}); err != nil {
		t.Errorf("it said when to come again: %v", err)
	}
	until.Store(0)
	verify := false
	_, err := r.job(transfer.Request{
		Op: transfer.OpInspect, Pull: transfer.Pull{Reference: "docker://" + l.host() + "/x:1"}, Access: transfer.Access{TLSVerify: &verify},
	})
	if err != nil {
		t.Errorf("what only reads and has no --retry is tried again too: %v", err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "99999999999999": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestPullTooMuch is more than the manifest says, and more than an image may unpack to.
func TestPullTooMuch(t *testing.T) {
	l := newLiar(t, noise(t, 100_000))
	l.blob = func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(l.layer)
		for range 1000 {
			_, _ = w.Write(make([]byte, 1<<20)) // it ends when the other side goes
		}
		return true
	}
	r := newRig(t)
	if _, err := r.pull(l, transfer.Pull{}); err == nil || !strings.Contains(err.Error(), "more of sha256:") {
		t.Errorf("endless body: %v", err)
	}
	r.clean(0)

	t.Setenv(maxUnpackedVariable, "1m")
	bomb := newLiar(t, makeTar(t, file{name: "zero", data: strings.Repeat("\x00", 96<<20)}))
	if _, err := r.pull(bomb, transfer.Pull{}); !errdefs.IsResourceExhausted(err) || !strings.Contains(err.Error(), "unpacks to more than") {
		t.Errorf("bomb: %v", err)
	}
	r.clean(0)
	t.Setenv(maxUnpackedVariable, "1g")
	if _, err := r.pull(bomb, transfer.Pull{}); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

// TestLoadTooMuch is an archive whose layer unpacks to more than it may.
func TestLoadTooMuch(t *testing.T) {
	layer := makeTar(t, file{name: "zero", data: strings.Repeat("\x00", 2<<20)})
	archive := makeTar(t, ociFiles(t, zipped(t, layer), digest.FromBytes(layer))...)
	r := newRig(t)
	t.Setenv(maxUnpackedVariable, "1m")
	if _, err := r.run(transfer.OpLoad, archive, transfer.Import{}); !errdefs.IsResourceExhausted(err) || !strings.Contains(err.Error(), `archive "archive": layer sha256:`) {
		t.Errorf("bomb: %v", err)
	}
	r.clean(0)
	t.Setenv(maxUnpackedVariable, "much")
	if _, err := r.run(transfer.OpLoad, archive, transfer.Import{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a limit that is none: %v", err)
	}
}

// TestMayBeAsked is where a registry may send hull.
func TestMayBeAsked(t *testing.T) {
	for _, c := range []struct {
		registry string
		clear    bool
		to       string
		may      bool
	}{
		{"quay.io", false, "https://cdn.example/x", true},
		{"quay.io", false, "https://10.1.2.3/x", true}, // a company's storage
		{"quay.io", false, "http://quay.io/v2/", false},
		{"quay.io", true, "http://quay.io/v2/", true},
		{"quay.io", false, "http://169.254.169.254/latest", false},
		{"quay.io", false, "http://[fe80::1]/", false},
		{"quay.io", false, "https://localhost/", false},
		{"quay.io", false, "http://127.0.0.1:8080/", false},
		{"quay.io", false, "http://[::ffff:127.0.0.1]/", false},
		{"quay.io", false, "http://0.0.0.0/", false},
		{"localhost:5000", true, "http://127.0.0.1:5001/token", true},
		{"localhost:5000", true, "http://169.254.169.254/", false},
	} {
		u, err := url.Parse(c.to)
		if err != nil {
			t.Fatal(err)
		}
		if err := mayBeAsked(map[string]bool{c.registry: c.clear}, u); (err == nil) != c.may {
			t.Errorf("%s → %s: %v", c.registry, c.to, err)
		}
	}
}

// answerError is like the library's own error for an answer whose body it does not know.
type answerError struct{ StatusCode int }

func (*answerError) Error() string { return `StatusCode: 429, ""` }

// TestStatus is an answer in the middle of a push: the library does not try it again, because it cannot read the layer twice.
func TestStatus(t *testing.T) {
	err := fmt.Errorf("writing blob: %w", errors.Join(errors.New("one"), fmt.Errorf("uploading: %w", &answerError{429})))
	if status(err) != http.StatusTooManyRequests || !mayPass(err) {
		t.Errorf("%v: status %d", err, status(err))
	}
	closed := &url.Error{Op: "Patch", URL: "https://localhost/v2/", Err: net.ErrClosed} // as of a connection that crypto/tls had closed
	if !mayPass(closed) {
		t.Errorf("%v is for good", closed)
	}
	noSocket := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", unix.ENOENT)}
	if mayPass(noSocket) {
		t.Error("a socket that is not there is waited for")
	}
	if err := errors.New("one"); status(err) != 0 || mayPass(err) {
		t.Errorf("%v: status %d", err, status(err))
	}
}

// TestQueries is what a registry writes into its URLs for itself.
func TestQueries(t *testing.T) {
	err := withoutQueries(fmt.Errorf(`Patch "http://a/v2/x/uploads/1?_state=long%%3D": %w`, io.EOF))
	if err.Error() != `Patch "http://a/v2/x/uploads/1": EOF` || !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
