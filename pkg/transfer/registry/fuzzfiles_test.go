package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
)

// written writes a file of the user's and returns its path; the rest of the home is empty.
func written(t *testing.T, name string, data []byte) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_RUNTIME_DIR", home)
	path := filepath.Join(home, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// FuzzAuth is auth.json: an error about it tells nothing of what is in it.
func FuzzAuth(f *testing.F) {
	const secret = "bWU6czNjcmV0" // me:s3cret
	for _, text := range []string{
		`{"auths":{"registry.example":{"auth":"` + secret + `"}}}`, `{"auths":{"registry.example/a":{"identitytoken":"` + secret + `"}}}`,
		`{"auths":{"https://registry.example/v1/":{"auth":"` + secret + `!"}},"credHelpers":{"x":"y"}}`, `{"auths":"` + secret + `"}`, `[` + secret,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "redHelpers") || strings.Contains(string(data), "redsStore") {
			return // a program of any name would be started
		}
		sys := &types.SystemContext{AuthFilePath: written(t, "auth.json", data)}
		if _, _, err := stored(sys, "registry.example"); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzRegistriesConf is registries.conf: a short name becomes one with a registry, or is an error.
func FuzzRegistriesConf(f *testing.F) {
	for _, text := range []string{
		"unqualified-search-registries=[\"a.example\",\"localhost:1\"]\nshort-name-mode=\"enforcing\"",
		"[[registry]]\nprefix=\"*.example\"\nlocation=\"b.example\"\n[[registry.mirror]]\nlocation=\"c.example/x\"\ninsecure=true\npull-from-mirror=\"digest-only\"",
		"[aliases]\n\"x\"=\"a.example/y\"\n[[registry]]\nlocation=\"a.example\"\nblocked=true", "[registries.search]\nregistries=['a']",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sys := &types.SystemContext{SystemRegistriesConfPath: written(t, "registries.conf", data), SystemRegistriesConfDirPath: t.TempDir()}
		sysregistriesv2.InvalidateCache()
		found, err := resolve(sys, "x:1", "")
		if err != nil {
			return
		}
		for _, c := range found.candidates {
			if domain, _, ok := strings.Cut(c.name.String(), "/"); !ok || domain == "" {
				t.Errorf("x:1 is %s", c.name)
			}
			_, _ = endpoints(sys, c.name)
		}
	})
}

// FuzzPolicy is policy.json: what trust show reads, a pull reads too.
func FuzzPolicy(f *testing.F) {
	for _, text := range []string{
		`{"default":[{"type":"reject"}]}`,
		`{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"a.example":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}]}}}`,
		`{"default":[{"type":"sigstoreSigned","keyData":"eA==","signedIdentity":{"type":"remapIdentity","prefix":"a.example","signedPrefix":"b.example"}}]}`,
		`{"default":[],"default":[{"type":"reject"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		t.Setenv("CONTAINERS_POLICY_JSON", written(t, "policy.json", data))
		if _, err := readPolicy(); err != nil {
			return
		}
		p, err := policy(&types.SystemContext{})
		if err != nil {
			t.Fatalf("trust show reads it, and a pull says %v", err)
		}
		_ = p.Destroy()
	})
}
