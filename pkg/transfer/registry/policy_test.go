package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/signature"

	"hull.dev/hull/pkg/transfer"
)

// object is JSON.
type object = map[string]any

// signed is a registry of one image x:1, under that name and as reg.example.test/team/x:1, whose signatures a test makes;
// and a user who pulls from it.
type signed struct {
	*rig
	*liar
	t         *testing.T
	home      string
	lookaside string
	attached  map[string][]byte // by path: what lies beside the image, for sigstore
}

func newSigned(t *testing.T) *signed {
	t.Helper()
	s := &signed{rig: newRig(t), liar: newLiar(t, makeTar(t, file{name: "a", data: "hello"})), t: t, lookaside: t.TempDir(), attached: map[string][]byte{}}
	s.home = os.Getenv("HOME")
	t.Setenv("XDG_CONFIG_HOME", s.home)
	s.guard = func(w http.ResponseWriter, r *http.Request) bool {
		body, ok := s.attached[r.URL.Path]
		if !ok {
			return false
		}
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		}
		_, _ = w.Write(body)
		return true
	}
	s.write("containers/registries.d/a.yaml", fmt.Sprintf("default-docker:\n  lookaside: file://%s\n  use-sigstore-attachments: true\n", s.lookaside))
	s.write("registries.conf", fmt.Sprintf("[[registry]]\nprefix = %q\nlocation = %q\ninsecure = true\n", "reg.example.test/team/x", s.host()+"/x"))
	return s
}

// write puts a file into the user's home and returns its path.
func (s *signed) write(name, data string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(data), 0o600)); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// policy writes policy.json.
func (s *signed) policy(fallback string, transports object) {
	s.t.Helper()
	data, err := json.Marshal(object{"default": []any{object{"type": fallback}}, "transports": transports})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("policy.json", string(data))
}

// want pulls, with these requirements of the image's registry, and fails unless it is let in, or refused for a reason.
func (s *signed) want(ref, refusal string, requirements ...object) {
	s.t.Helper()
	s.policy("reject", object{"docker": object{s.host(): requirements, "reg.example.test": requirements}})
	s.comes(ref, refusal)
}

func (s *signed) comes(ref, refusal string) {
	s.t.Helper()
	_, err := s.pullRef(ref)
	s.judge(err, refusal)
}

func (s *signed) pullRef(ref string) (transfer.Result, error) {
	s.t.Helper()
	verify := false
	return s.job(transfer.Request{Op: transfer.OpPull, Pull: transfer.Pull{Reference: ref}, Access: transfer.Access{TLSVerify: &verify}})
}

func (s *signed) judge(err error, refusal string) {
	s.t.Helper()
	switch {
	case refusal == "":
		if err != nil {
			s.t.Errorf("it is refused: %v", err)
		}
	case !errdefs.IsPermissionDenied(err) || !strings.Contains(err.Error(), refusal) || strings.Contains(err.Error(), "\n"):
		s.t.Errorf("got %v, want a refusal with %q", err, refusal)
	default:
		s.clean(0)
	}
}

// name and byDigest are what the image is called in the registry.
func (s *signed) name() string { return s.host() + "/x:1" }

func (s *signed) byDigest() string { return s.host() + "/x@" + digest.FromBytes(s.manifest).String() }

// pgp is a key, made without gpg.
type pgp struct {
	signature.SigningMechanism
	entity *openpgp.Entity
}

func newPGP(t *testing.T, name string) *pgp {
	t.Helper()
	entity, err := openpgp.NewEntity(name, "", name+"@example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signature.NewGPGSigningMechanism()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = verifier.Close() })
	return &pgp{verifier, entity}
}

func (p *pgp) SupportsSigning() error { return nil }

func (p *pgp) Sign(input []byte, _ string) ([]byte, error) {
	var out bytes.Buffer
	w, err := openpgp.Sign(&out, p.entity, nil, nil)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(input)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// public is the key that others verify with.
func (p *pgp) public(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := p.entity.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sign puts a signature of data under a name where those of the image are looked for.
func (s *signed) sign(p *pgp, data []byte, name string) {
	s.t.Helper()
	made, err := signature.SignDockerManifest(data, name, p, "key")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, repository := range []string{"x", "team/x"} {
		folder := filepath.Join(s.lookaside, repository+"@sha256="+digest.FromBytes(s.manifest).Encoded())
		if err := addSignature(func(n int) string { return filepath.Join(folder, fmt.Sprintf("signature-%d", n)) }, made); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestPolicySignedBy(t *testing.T) {
	ann, bob := newPGP(t, "ann"), newPGP(t, "bob")
	for name, c := range map[string]struct {
		signer  *pgp
		data    string // "": the image's manifest
		as      string // HOST is the registry's; "": the image's own name
		pulled  string // "digest", or a name; "" is the tag
		keys    object // "ann" and "bob" in it are files or data
		match   object // signedIdentity
		refusal string
	}{
		"keyPath":                     {signer: ann, keys: object{"keyPath": "ann"}},
		"keyPath of another":          {signer: bob, keys: object{"keyPath": "ann"}, refusal: "Key not found"},
		"keyPath that is not there":   {signer: ann, keys: object{"keyPath": "nosuch"}, refusal: "nosuch"},
		"keyPaths":                    {signer: ann, keys: object{"keyPaths": []string{"bob", "ann"}}},
		"keyPaths of others":          {signer: ann, keys: object{"keyPaths": []string{"bob", "bob"}}, refusal: "Key not found"},
		"keyData":                     {signer: ann, keys: object{"keyData": "ann"}},
		"keyData of another":          {signer: ann, keys: object{"keyData": "bob"}, refusal: "Key not found"},
		"nobody signed":               {keys: object{"keyPath": "ann"}, refusal: "A signature was required, but no signature exists"},
		"of another content":          {signer: ann, data: "{}", keys: object{"keyPath": "ann"}, refusal: "does not match"},
		"by default, another tag":     {signer: ann, as: "HOST/x:2", refusal: "x:2"},
		"by default, a digest":        {signer: ann, as: "HOST/x:2", pulled: "digest"},
		"by default, other name":      {signer: ann, as: "HOST/y:2", pulled: "digest", refusal: "y:2"},
		"matchRepoDigestOrExact":      {signer: ann, match: object{"type": "matchRepoDigestOrExact"}},
		"not matchRepoDigestOrExact":  {signer: ann, as: "HOST/x:2", match: object{"type": "matchRepoDigestOrExact"}, refusal: "x:2"},
		"matchExact":                  {signer: ann, match: object{"type": "matchExact"}},
		"not matchExact":              {signer: ann, pulled: "digest", match: object{"type": "matchExact"}, refusal: "x:1"},
		"matchRepository":             {signer: ann, as: "HOST/x:2", match: object{"type": "matchRepository"}},
		"not matchRepository":         {signer: ann, as: "HOST/y:1", match: object{"type": "matchRepository"}, refusal: "y:1"},
		"exactReference":              {signer: ann, as: "example.org/a:7", match: object{"type": "exactReference", "dockerReference": "example.org/a:7"}},
		"not exactReference":          {signer: ann, match: object{"type": "exactReference", "dockerReference": "example.org/a:7"}, refusal: "x:1"},
		"exactRepository":             {signer: ann, as: "example.org/a:7", match: object{"type": "exactRepository", "dockerRepository": "example.org/a"}},
		"not exactRepository":         {signer: ann, as: "example.org/b:7", match: object{"type": "exactRepository", "dockerRepository": "example.org/a"}, refusal: "example.org/b:7"},
		"remapIdentity":               {signer: ann, as: "vendor.example/x:1", match: object{"type": "remapIdentity", "prefix": "HOST", "signedPrefix": "vendor.example"}},
		"remapIdentity of a part":     {signer: ann, as: "vendor.example/y:1", pulled: "reg.example.test/team/x:1", match: object{"type": "remapIdentity", "prefix": "reg.example.test/team/x", "signedPrefix": "vendor.example/y"}},
		"not remapIdentity":           {signer: ann, match: object{"type": "remapIdentity", "prefix": "HOST", "signedPrefix": "vendor.example"}, refusal: "x:1"},
		"remapIdentity of other name": {signer: ann, as: "HOST/x:1", match: object{"type": "remapIdentity", "prefix": "other.example", "signedPrefix": "vendor.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigned(t)
			if c.keys == nil {
				c.keys = object{"keyPath": "ann"}
			}
			requirement := object{"type": "signedBy", "keyType": "GPGKeys"}
			for field, value := range c.keys {
				requirement[field] = s.keys(field, value, map[string][]byte{"ann": ann.public(t), "bob": bob.public(t)})
			}
			if c.match != nil {
				text, _ := json.Marshal(c.match)
				requirement["signedIdentity"] = json.RawMessage(strings.ReplaceAll(string(text), "HOST", s.host()))
			}
			if c.signer != nil {
				data := s.manifest
				if c.data != "" {
					data = []byte(c.data)
				}
				as := s.name()
				if c.as != "" {
					as = strings.ReplaceAll(c.as, "HOST", s.host())
				}
				s.sign(c.signer, data, as)
			}
			switch c.pulled {
			case "":
				c.pulled = s.name()
			case "digest":
				c.pulled = s.byDigest()
			}
			s.want(c.pulled, c.refusal, requirement)
		})
	}
}

// keys is the value of a field of policy.json: words of it are paths of files with keys, or, in fields of data, keys.
func (s *signed) keys(field string, value any, known map[string][]byte) any {
	s.t.Helper()
	if list, ok := value.([]string); ok {
		var out []any
		for _, word := range list {
			out = append(out, s.keys(field, word, known))
		}
		return out
	}
	word, text := value.(string)
	data, ok := known[word]
	switch {
	case !text || !ok:
		return value
	case strings.HasSuffix(field, "Data"), strings.HasSuffix(field, "Datas"):
		return base64.StdEncoding.EncodeToString(data)
	}
	return s.write(word+".key", string(data))
}

// Each of a list of requirements has to be met, and one that nothing meets says so.
func TestPolicyLists(t *testing.T) {
	ann, bob := newPGP(t, "ann"), newPGP(t, "bob")
	s := newSigned(t)
	by := func(p *pgp) object {
		return object{"type": "signedBy", "keyType": "GPGKeys", "keyData": base64.StdEncoding.EncodeToString(p.public(t))}
	}
	anything, reject := object{"type": "insecureAcceptAnything"}, object{"type": "reject"}
	s.want(s.name(), "rejected by policy", reject)
	s.want(s.name(), "rejected by policy", anything, reject)
	s.want(s.name(), "signedBaseLayer", object{"type": "signedBaseLayer", "baseLayerIdentity": object{"type": "matchExact"}})
	s.sign(ann, s.manifest, s.name())
	s.want(s.name(), "Key not found", by(ann), by(bob))
	s.want(s.name(), "signedBaseLayer", by(ann), object{"type": "signedBaseLayer", "baseLayerIdentity": object{"type": "matchExact"}})
	s.sign(bob, s.manifest, s.name())
	s.want(s.name(), "", by(ann), by(bob))
	s.want(s.name(), "", anything)
}
