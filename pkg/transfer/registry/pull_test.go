package registry

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// liar is a registry of one image x:1 that may lie.
type liar struct {
	*httptest.Server
	manifest, config, layer []byte
	layerDigest             digest.Digest

	blob  func(w http.ResponseWriter, r *http.Request) bool // answers for the layer; false: as it should be
	guard func(w http.ResponseWriter, r *http.Request) bool // the same, for everything

	mu   sync.Mutex
	seen []string // METHOD PATH
}

// newLiar starts one whose layer is data, packed.
func newLiar(t *testing.T, data []byte) *liar {
	t.Helper()
	l := &liar{layer: zipped(t, data)}
	l.layerDigest = digest.FromBytes(l.layer)
	l.config = fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`, digest.FromBytes(data))
	l.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
		digest.FromBytes(l.config), len(l.config), l.layerDigest, len(l.layer))
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	// Not the machine's own files, and no pauses of the library's between a broken download and the next.
	dir := t.TempDir()
	for variable, name := range map[string]string{"CONTAINERS_REGISTRIES_CONF": "registries.conf", "REGISTRY_AUTH_FILE": "auth.json", "CONTAINERS_POLICY_JSON": "policy.json"} {
		text := map[string]string{"auth.json": "{}", "policy.json": `{"default":[{"type":"insecureAcceptAnything"}]}`}[name]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(variable, filepath.Join(dir, name))
	}
	t.Setenv("HOME", dir)
	sysregistriesv2.InvalidateCache()
	return l
}

func (l *liar) host() string { return strings.TrimPrefix(l.URL, "http://") }

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.seen = append(l.seen, r.Method+" "+r.URL.Path)
	l.mu.Unlock()
	if l.guard != nil && l.guard(w, r) {
		return
	}
	var body []byte
	switch path := r.URL.Path; {
	case path == "/v2/":
		return
	case strings.HasPrefix(path, "/v2/x/manifests/"):
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", digest.FromBytes(l.manifest).String())
		body = l.manifest
	case path == "/v2/x/blobs/"+digest.FromBytes(l.config).String():
		body = l.config
	case path == "/v2/x/blobs/"+l.layerDigest.String():
		if l.blob != nil && l.blob(w, r) {
			return
		}
		body = l.layer
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body)
}

// pull pulls x:1 in the clear.
func (r *rig) pull(l *liar, p transfer.Pull) (transfer.Result, error) {
	r.tb.Helper()
	return r.pullAs(l, p, "", "")
}

func (r *rig) pullAs(l *liar, p transfer.Pull, user, password string) (transfer.Result, error) {
	r.tb.Helper()
	verify := false
	p.Reference = l.host() + "/x:1"
	return r.job(transfer.Request{Op: transfer.OpPull, Pull: p, Access: transfer.Access{User: user, Password: password, TLSVerify: &verify}})
}

func TestPull(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	r := newRig(t)
	result, err := r.pull(l, transfer.Pull{})
	if err != nil || len(result.Images) != 1 || result.Images[0].ID != digest.FromBytes(l.config).Encoded() || result.Images[0].Names[0] != l.host()+"/x:1" {
		t.Fatalf("%+v, %v", result, err)
	}
	r.clean(1)
	for _, once := range []string{"manifests/1", "blobs/" + digest.FromBytes(l.config).String(), "blobs/" + l.layerDigest.String()} {
		if n := len(slices.DeleteFunc(slices.Clone(l.seen), func(s string) bool { return s != "GET /v2/x/"+once })); n != 1 {
			t.Errorf("%s is fetched %d times: %v", once, n, l.seen)
		}
	}
	l.seen = nil
	if _, err := r.pull(l, transfer.Pull{Local: result.Images[0].ID}); err != nil || slices.ContainsFunc(l.seen, func(s string) bool { return strings.Contains(s, "/blobs/") || s == "GET /v2/x/manifests/1" }) {
		t.Errorf("newer, and nothing is: %v, %v", l.seen, err)
	}
	l.seen = nil
	if _, err := r.pull(l, transfer.Pull{}); err != nil || slices.ContainsFunc(l.seen, func(s string) bool { return strings.Contains(s, "/blobs/") }) {
		t.Errorf("always, and the image is here: %v, %v", l.seen, err)
	}
}

// TestPullLies is what a hostile registry may try: an error that says what, and nothing in the store.
func TestPullLies(t *testing.T) {
	good := makeTar(t, file{name: "a", data: strings.Repeat("hello", 1000)})
	for name, c := range map[string]struct {
		layer []byte
		lie   func(l *liar)
		want  string
	}{
		"wrong digest of a layer": {good, func(l *liar) {
			l.layer = zipped(t, append(slices.Clone(good), make([]byte, 512)...))
			l.manifest = []byte(strings.Replace(string(l.manifest), `"size":`+fmt.Sprint(len(zipped(t, good)))+"}]", `"size":`+fmt.Sprint(len(l.layer))+"}]", 1))
		}, "igest"},
		"wrong digest of the config": {good, func(l *liar) {
			l.guard = func(w http.ResponseWriter, r *http.Request) bool {
				is := strings.HasSuffix(r.URL.Path, digest.FromBytes(l.config).String())
				if is {
					_, _ = w.Write([]byte(strings.Replace(string(l.config), "linux", "linuy", 1)))
				}
				return is
			}
		}, "igest"},
		"truncated layer": {good, func(l *liar) {
			l.blob = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Length", fmt.Sprint(len(l.layer)))
				_, _ = w.Write(l.layer[:len(l.layer)/2])
				return true
			}
		}, "EOF"},
		"layer that is no tar": {[]byte("this is no tar archive"), func(*liar) {}, "unexpected EOF"},
		"link that leads out":  {makeTar(t, file{name: "a", typ: tar.TypeLink, link: "../../../../../../etc/passwd"}), func(*liar) {}, "no such file"},
		"another diff id": {good, func(l *liar) {
			old := digest.FromBytes(l.config).String()
			l.config = []byte(strings.Replace(string(l.config), digest.FromBytes(good).Encoded(), strings.Repeat("a", 64), 1))
			l.manifest = []byte(strings.Replace(string(l.manifest), old, digest.FromBytes(l.config).String(), 1))
		}, "DiffID"},
		"manifest of gigabytes": {good, func(l *liar) {
			l.manifest = append([]byte(`{"schemaVersion":2,"x":"`), make([]byte, 64<<20)...)
		}, "exceeded"},
		"manifest that is none": {good, func(l *liar) { l.manifest = []byte("<html>") }, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiar(t, c.layer)
			c.lie(l)
			r := newRig(t)
			_, err := r.pull(l, transfer.Pull{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			r.clean(0)
		})
	}
}

// TestPullStaysInside is a layer with names above its root: the store unpacks in a chroot, where there is nothing above.
func TestPullStaysInside(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "../../../../out", data: "x"}))
	r := newRig(t)
	if _, err := r.pull(l, transfer.Pull{}); err != nil {
		t.Fatal(err)
	}
	r.clean(1)
	_ = filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "out" && filepath.Dir(filepath.Dir(path)) != filepath.Join(r.dir, "root/vfs/dir") {
			t.Errorf("%s is outside of the layer", path)
		}
		return nil
	})
}

func TestPullRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		code  int
		body  string
		class func(error) bool
		hint  string
	}{
		"unauthorized": {http.StatusUnauthorized, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, errdefs.IsPermissionDenied, "hull login "},
		"forbidden":    {http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`, errdefs.IsPermissionDenied, "hull login "},
		"missing":      {http.StatusNotFound, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`, errdefs.IsNotFound, "hull search --list-tags "},
		"broken":       {http.StatusBadGateway, "oops", errdefs.IsUnavailable, "check the name"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiar(t, nil)
			l.guard = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/v2/" {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.code)
				_, _ = w.Write([]byte(c.body))
				return true
			}
			r := newRig(t)
			_, err := r.pull(l, transfer.Pull{})
			if !c.class(err) || !strings.HasPrefix(errs.Hint(err), c.hint) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; %s", err, errs.Hint(err))
			}
			r.clean(0)
		})
	}
}

// TestPullRetries is a registry that answers at the third try.
func TestPullRetries(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	var tries atomic.Int32
	l.guard = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/manifests/") && (r.Method == http.MethodHead || tries.Add(1) <= 2) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	r := newRig(t)
	if _, err := r.pull(l, transfer.Pull{Retry: 1, RetryDelay: time.Millisecond}); err == nil {
		t.Error("two tries were enough")
	}
	tries.Store(0)
	if _, err := r.pull(l, transfer.Pull{Retry: 2, RetryDelay: time.Millisecond}); err != nil {
		t.Error(err)
	}
}

// TestPullCredentialsStay is a registry that has the password sent to another host.
func TestPullCredentialsStay(t *testing.T) {
	var stolen atomic.Value
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); ok {
			stolen.Store(password)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": "t"})
	}))
	defer thief.Close()
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	elsewhere := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)
	realm := elsewhere
	l.guard = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer t" {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=s", realm))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	r := newRig(t)
	_, err := r.pullAs(l, transfer.Pull{}, "me", "s3cret")
	if !errdefs.IsPermissionDenied(err) || !strings.Contains(err.Error(), "not trusted with its credentials") || strings.Contains(err.Error()+errs.Hint(err), "s3cret") {
		t.Errorf("%v; %s", err, errs.Hint(err))
	}
	if stolen.Load() != nil {
		t.Error("the password went to another host")
	}
	r.clean(0)
	// Without a password there is nothing to steal; and its own host may have it, on another port.
	if _, err := r.pull(l, transfer.Pull{}); err != nil || stolen.Load() != nil {
		t.Errorf("without credentials: %v, stolen %v", err, stolen.Load())
	}
	realm = thief.URL
	if _, err := r.pullAs(l, transfer.Pull{}, "me", "s3cret"); err != nil || stolen.Load() != "s3cret" {
		t.Errorf("the registry's own host: %v, %v", err, stolen.Load())
	}
}

// TestPullStops is a Ctrl-C amid a layer: an end at once, no half layer, no file.
func TestPullStops(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: strings.Repeat("hello", 100000)}))
	ctx, cancel := context.WithCancel(t.Context())
	l.blob = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(l.layer)))
		_, _ = w.Write(l.layer[:100])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		cancel()
		<-r.Context().Done()
		return true
	}
	r := newRig(t)
	verify := false
	q := transfer.Request{Op: transfer.OpPull, Pull: transfer.Pull{Reference: l.host() + "/x:1", Retry: 3}, Access: transfer.Access{TLSVerify: &verify}}
	q.Store = transfer.Store{Root: r.dir + "/root", RunRoot: r.dir + "/run", Driver: "vfs"}
	begin := time.Now()
	_, err := handle(ctx, q, func(transfer.Progress) {}, unconfined)
	if err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
	r.clean(0)
}

// TestPullAsks is a short name with two candidates.
func TestPullAsks(t *testing.T) {
	l := newLiar(t, makeTar(t, file{name: "a", data: "hello"}))
	text := fmt.Sprintf("unqualified-search-registries = [\"localhost:1\", %q]\nshort-name-mode = \"enforcing\"\n[[registry]]\nlocation = %q\ninsecure = true\n", l.host(), l.host())
	if err := os.WriteFile(os.Getenv("CONTAINERS_REGISTRIES_CONF"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sysregistriesv2.InvalidateCache()
	r := newRig(t)
	result, err := r.job(transfer.Request{Op: transfer.OpPull, Pull: transfer.Pull{Reference: "x:1", CanChoose: true}})
	want := []string{"localhost:1/x:1", l.host() + "/x:1"}
	if err != nil || !slices.Equal(result.Candidates, want) || len(result.Images) != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	// The choice is remembered: the second time nobody is asked.
	sys := &types.SystemContext{UserShortNameAliasConfPath: filepath.Join(t.TempDir(), "aliases.conf")}
	picked, err := resolve(sys, "x:1", want[1])
	if err != nil || picked.candidates[0].name.String() != want[1] || picked.candidates[0].record() != nil {
		t.Fatalf("%+v, %v", picked, err)
	}
	if again, err := resolve(sys, "x:2", ""); err != nil || again.ambiguous || again.candidates[0].name.String() != l.host()+"/x:2" {
		t.Errorf("%+v, %v", again, err)
	}
}
