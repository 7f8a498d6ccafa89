package fault

import (
	"archive/tar"
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hull.dev/hull/test/env"
)

// weather is a case of a bad line, or of a registry in trouble, between hull and Debian's registry.
type weather struct {
	on      string // the requests in trouble, a regular expression of "METHOD PATH"
	times   int    // how many of them, the first; 0: all
	trouble env.Trouble
	args    string        // of the command
	least   time.Duration // that the command takes
	want    string        // in the one line of the error; "": it comes through
}

const (
	blobs     = "^GET .*/blobs/"
	manifests = "^(GET|HEAD) .*/manifests/1$"
	uploads   = "^(HEAD|PATCH|PUT) .*/uploads/"
)

var pulls = map[string]weather{
	"cut":              {on: blobs, times: 12, trouble: env.Trouble{Cut: 700_000}},
	"cut-manifest":     {on: manifests, times: 1, trouble: env.Trouble{Cut: 100}},
	"cut-for-good":     {on: blobs, trouble: env.Trouble{Cut: 10}, args: "--retry 1", want: "EOF"},
	"corrupt-layer":    {on: blobs, trouble: env.Trouble{Corrupt: 2_000_000}, want: "igest"},
	"corrupt-config":   {on: blobs, trouble: env.Trouble{Corrupt: 5}, want: "does not match"},
	"corrupt-manifest": {on: manifests, trouble: env.Trouble{Corrupt: 1}, want: "invalid"},
	"429":              {on: manifests, times: 2, trouble: env.Trouble{Status: 429, RetryAfter: "1"}, least: 2 * time.Second},
	"429-layer":        {on: blobs, times: 2, trouble: env.Trouble{Status: 429, RetryAfter: "1"}, least: time.Second},
	"429-for-good":     {on: manifests, trouble: env.Trouble{Status: 429, RetryAfter: "0"}, args: "--retry 1", want: "429"},
	"503":              {on: manifests, times: 2, trouble: env.Trouble{Status: 503, RetryAfter: "2"}, least: 2 * time.Second},
	"503-layer":        {on: blobs, times: 3, trouble: env.Trouble{Status: 503}},
	"503-for-good":     {on: manifests, trouble: env.Trouble{Status: 503}, args: "--retry 1", want: "503"},
}

var pushes = map[string]weather{
	"cut":              {on: uploads, times: 2, trouble: env.Trouble{Cut: 700_000}},
	"cut-answer":       {on: "^POST ", times: 1, trouble: env.Trouble{Cut: 1}},
	"cut-for-good":     {on: uploads, trouble: env.Trouble{Cut: 700_000}, args: "--retry 1", want: "writing blob"},
	"corrupt-layer":    {on: uploads, trouble: env.Trouble{Corrupt: 2_000_000}, args: "--retry 1", want: "digest"},
	"corrupt-manifest": {on: "^PUT .*/manifests/", trouble: env.Trouble{Corrupt: 1}, args: "--retry 1", want: "manifest"},
	"429":              {on: "^POST ", times: 1, trouble: env.Trouble{Status: 429, RetryAfter: "1"}, least: time.Second},
	// Two layers go at once; the third answer is to who asks for how long.
	"429-layer":    {on: uploads, times: 3, trouble: env.Trouble{Status: 429, RetryAfter: "1"}, least: time.Second},
	"503":          {on: "^POST ", times: 2, trouble: env.Trouble{Status: 503}},
	"503-layer":    {on: uploads, times: 2, trouble: env.Trouble{Status: 503}},
	"503-manifest": {on: "^PUT .*/manifests/", times: 1, trouble: env.Trouble{Status: 503}},
	"503-for-good": {on: "^PUT .*/manifests/", trouble: env.Trouble{Status: 503}, args: "--retry 1", want: "503"},
}

// network pulls from and pushes to a real registry behind a proxy that makes trouble: it comes through, or is one line of
// an error and leaves nothing.
func (s *suite) network(t *testing.T) {
	for name, c := range pulls {
		s.run(t, "network/pull-"+name, func(t *testing.T) {
			n := newNetwork(t, s.base, env.RegistryOptions{}, false)
			n.b.must("rmi big")
			before := n.b.stored()
			r := n.do(c, "pull -q --retry-delay 20ms "+c.args+" "+n.proxy.Host+"/big:1")
			if c.want == "" {
				n.b.must("image exists " + n.proxy.Host + "/big:1")
				n.b.must("rmi " + n.proxy.Host + "/big:1")
			} else if n.b.says(r, c.want); !slices.Equal(before, n.b.stored()) {
				t.Errorf("stored before %v, and after %v", before, n.b.stored())
			}
			n.b.end()
		})
	}
	for name, c := range pushes {
		s.run(t, "network/push-"+name, func(t *testing.T) {
			n := newNetwork(t, s.base, env.RegistryOptions{}, false)
			r := n.do(c, "push -q --retry-delay 20ms "+c.args+" big "+n.proxy.Host+"/new:1")
			there := n.b.do("pull -q " + n.registry.Host + "/new:1")
			if there.ok() != (c.want == "") {
				t.Errorf("what the registry has: %s", there)
			}
			if c.want != "" {
				n.b.says(r, c.want)
			}
			n.b.end()
		})
	}
	s.credentials(t)
}

// network is a box with the image "big" of two layers, one of them of three megabytes that no compression makes less, and a
// registry that has it as big:1.
type network struct {
	b        *box
	registry *env.Registry
	proxy    *env.Proxy

	mu    sync.Mutex
	c     weather
	on    *regexp.Regexp
	times int
}

func newNetwork(t *testing.T, base string, o env.RegistryOptions, tls bool) *network {
	t.Helper()
	n := &network{b: filled(t, base)}
	var err error
	o.Dir = t.TempDir()
	if n.registry, err = env.StartRegistry(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.registry.Stop(); err != nil {
			t.Error(err)
		}
	})
	n.proxy, err = env.StartProxy(env.ProxyOptions{Registry: n.registry, Dir: t.TempDir(), TLS: tls, Trouble: n.trouble})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.proxy.Stop(); err != nil {
			t.Error(err)
		}
	})
	home := filepath.Join(n.b.Dir, "home")
	if err := n.registry.Configure(home); err != nil {
		t.Fatal(err)
	}
	if err := n.proxy.Configure(home); err != nil {
		t.Fatal(err)
	}
	l := env.Layout{Dir: filepath.Join(n.b.Dir, "layout"), Base: filepath.Join(n.b.Dir, "noise.tar"), Texts: []string{"text"}}
	if err := os.WriteFile(l.Base, noise(t, 3_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Write("big"); err != nil {
		t.Fatal(err)
	}
	n.b.must("pull -q oci:" + l.Dir + ":big")
	if o.User == "" && o.Tokens == nil {
		n.b.must("push -q big " + n.registry.Host + "/big:1")
	}
	return n
}

// noise is a tar with a file of so many bytes of noise.
func noise(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: "noise", Mode: 0o644, Size: int64(size)}); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// do runs hull in such weather. Unless the case wants an error it has to work, and to have met the trouble.
func (n *network) do(c weather, line string) result {
	n.b.t.Helper()
	n.mu.Lock()
	n.c, n.on, n.times = c, regexp.MustCompile(c.on), 0
	n.mu.Unlock()
	start := time.Now()
	r := n.b.do(line)
	took := time.Since(start)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.on = nil
	if n.times == 0 {
		n.b.t.Errorf("no request met the trouble: %s", r)
	}
	if strings.Contains(r.stderr, "_state=") {
		n.b.t.Errorf("the registry's own notes are in the error: %s", r)
	}
	if c.want == "" && (!r.ok() || took < c.least) {
		n.b.t.Errorf("after %s: %s", took, r)
	}
	return r
}

func (n *network) trouble(r *http.Request) *env.Trouble {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.on == nil || !n.on.MatchString(r.Method+" "+r.URL.Path) || n.c.times > 0 && n.times >= n.c.times {
		return nil
	}
	n.times++
	return &n.c.trouble
}

// guests are the commands of who has to say who they are, each in bad weather. $HOST is the registry.
var guests = []struct {
	line string
	weather
}{
	{"login -u ann -p s3cret $HOST", weather{on: "^GET /v2/$", times: 1, trouble: env.Trouble{Status: 429, RetryAfter: "1"}}},
	{"push -q --retry-delay 20ms big $HOST/big:1", weather{on: uploads, times: 1, trouble: env.Trouble{Cut: 700_000}}},
	{"push -q --retry-delay 20ms big $HOST/big:2", weather{on: "^PUT .*/manifests/", times: 1, trouble: env.Trouble{Status: 503}}},
	{"rmi big", weather{}},
	{"pull -q --retry-delay 20ms $HOST/big:1", weather{on: blobs, times: 3, trouble: env.Trouble{Cut: 700_000}}},
	{"search --list-tags $HOST/big", weather{on: "/tags/list", times: 1, trouble: env.Trouble{Status: 429, RetryAfter: "1"}}},
	{"rmi $HOST/big:1", weather{}},
	{"logout $HOST", weather{}},
}

// credentials are registries that want to know who comes: by htpasswd and by a token server, in the clear and by TLS.
func (s *suite) credentials(t *testing.T) {
	for _, tls := range []bool{false, true} {
		for _, tokens := range []bool{false, true} {
			name := map[bool]string{false: "password", true: "token"}[tokens] + map[bool]string{true: "-tls"}[tls]
			s.run(t, "network/"+name, func(t *testing.T) {
				o, server := guarded(t, tokens, tls)
				n := newNetwork(t, s.base, o, tls)
				args := ""
				if tls {
					n.b.says(n.b.do("login -u ann -p s3cret "+n.proxy.Host), "certificate")
					args = " --cert-dir " + n.proxy.Certs
				}
				if tls && tokens {
					trust(t, n.proxy.Certs, server.Authority)
				}
				n.b.says(n.b.do("login -u ann -p wrong"+args+" "+n.proxy.Host), "")
				for _, g := range guests {
					line := strings.ReplaceAll(g.line, "$HOST", n.proxy.Host)
					if verb, rest, _ := strings.Cut(line, " "); verb != "rmi" && verb != "logout" {
						line = verb + args + " " + rest
					}
					if g.on == "" {
						n.b.must(line)
					} else {
						n.do(g.weather, line)
					}
				}
				if tokens && !slices.Contains(server.Asked(), "ann:s3cret") {
					t.Errorf("the token server was asked by %q", server.Asked())
				}
				if r := n.b.do("push" + args + " busybox " + n.proxy.Host + "/other:1"); !strings.Contains(r.stderr, "hull login") {
					t.Errorf("a push without a name: %s", r)
				}
				n.b.end()
			})
		}
	}
	s.run(t, "network/token-elsewhere", func(t *testing.T) { tokenElsewhere(t, s.base) })
}

// guarded is a registry for ann, and its token server if it is to have one.
func guarded(t *testing.T, tokens, tls bool) (env.RegistryOptions, *env.TokenServer) {
	t.Helper()
	if !tokens {
		return env.RegistryOptions{User: "ann", Password: "s3cret"}, nil
	}
	server, err := env.StartTokenServer(env.TokenServerOptions{Dir: t.TempDir(), User: "ann", Password: "s3cret", TLS: tls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return env.RegistryOptions{Tokens: server}, server
}

// trust adds an authority to a folder of them.
func trust(t *testing.T, certs, authority string) {
	t.Helper()
	data, err := os.ReadFile(authority)
	if err == nil {
		err = os.WriteFile(filepath.Join(certs, "tokens.crt"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tokenElsewhere: a registry names a token server on another host. No command of those that have credentials sends them
// there; who has none may ask.
func tokenElsewhere(t *testing.T, base string) {
	t.Helper()
	o, server := guarded(t, true, false)
	o.Realm = strings.Replace(server.URL, "localhost", "127.0.0.1", 1)
	n := newNetwork(t, base, o, false)
	for _, line := range []string{
		"login -u ann -p s3cret $HOST", "pull -q --creds ann:s3cret $HOST/big:1", "push -q --creds ann:s3cret big $HOST/big:1",
		"search --list-tags --creds ann:s3cret $HOST/big", "artifact pull --creds ann:s3cret $HOST/big:1", "run --rm --creds ann:s3cret $HOST/big:1 true",
	} {
		n.b.says(n.b.do(strings.ReplaceAll(line, "$HOST", n.proxy.Host)), "127.0.0.1")
	}
	if i := slices.IndexFunc(server.Asked(), func(who string) bool { return who != "" }); i >= 0 {
		t.Errorf("credentials went to another host: %q", server.Asked())
	}
	n.b.says(n.b.do("pull -q "+n.proxy.Host+"/big:1"), "")
	if !slices.Contains(server.Asked(), "") {
		t.Errorf("nobody asked for a token without a name: %q", server.Asked())
	}
	n.b.end()
}
