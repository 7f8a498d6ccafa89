package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/types"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/transfer"
)

// requirement is one of the list that policy.json has for a scope, as far as it is shown.
type requirement struct {
	Type     string   `json:"type"`
	KeyType  string   `json:"keyType,omitempty"`
	KeyPath  string   `json:"keyPath,omitempty"`
	KeyPaths []string `json:"keyPaths,omitempty"`
	KeyData  string   `json:"keyData,omitempty"`
}

// policyTypes are the types of policy.json by podman's words for them; trustWords are these words by type, where show has
// another one than set.
var (
	policyTypes = map[string]string{"accept": "insecureAcceptAnything", "reject": "reject", "signedBy": "signedBy", "sigstoreSigned": "sigstoreSigned"}
	trustWords  = map[string]string{"insecureAcceptAnything": "accept", "signedBy": "signed"}
)

func trust(r transfer.Request) (transfer.Result, error) {
	f, err := readPolicy()
	if err != nil {
		return transfer.Result{}, err
	}
	if r.Op == transfer.OpTrustSet {
		return transfer.Result{}, f.set(r.Trust)
	}
	report := transfer.TrustReport{File: f.path, Raw: string(f.raw)}
	report.Entries, err = f.show(system(r.Access), r.Trust.Scope)
	return transfer.Result{Trust: report}, err
}

// show returns the requirements of a scope and of what lies in it, and those for everything else, which come first.
func (f *policyFile) show(sys *types.SystemContext, scope string) ([]transfer.TrustEntry, error) {
	list, err := requirements(f.fields["default"])
	if err != nil {
		return nil, f.bad(err)
	}
	store := storeOf(sys, "")
	out := entries(transfer.TrustEntry{Transport: "all", Name: "* (default)", RepoName: "default", Store: store}, list)
	registries := docker.Transport.Name()
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(f.transports)), func(name string) bool { return name == registries })
	names = append([]string{registries}, names...)
	for _, transport := range names {
		for _, name := range slices.Sorted(maps.Keys(f.transports[transport])) {
			if scope != "" && name != scope && !strings.HasPrefix(name, scope+"/") {
				continue
			}
			list, err := requirements(f.transports[transport][name])
			if err != nil {
				return nil, f.bad(err)
			}
			e := transfer.TrustEntry{Transport: transport, Name: name, RepoName: name, Store: store}
			if transport == registries {
				e.Transport, e.Store = "repository", storeOf(sys, name)
			}
			out = append(out, entries(e, list)...)
		}
	}
	return out, nil
}

func requirements(raw json.RawMessage) ([]requirement, error) {
	var list []requirement
	err := json.Unmarshal(raw, &list)
	return list, err
}

func entries(e transfer.TrustEntry, list []requirement) []transfer.TrustEntry {
	out := make([]transfer.TrustEntry, 0, len(list))
	for _, r := range list {
		e.Type, e.GPGID = r.Type, ""
		if word, ok := trustWords[r.Type]; ok {
			e.Type = word
		}
		switch r.Type {
		case "signedBy":
			e.GPGID = strings.Join(r.addresses(), ", ")
		case "sigstoreSigned":
			e.GPGID = "N/A"
		}
		out = append(out, e)
	}
	return out
}

// addresses are those of the keys that can be read; an image is refused for a key that cannot, and says why then.
func (r *requirement) addresses() []string {
	var out []string
	if data, err := base64.StdEncoding.DecodeString(r.KeyData); err == nil {
		out = keyAddresses(bytes.NewReader(data))
	}
	for _, path := range append(r.KeyPaths, r.KeyPath) {
		if f, err := os.Open(path); err == nil {
			out = append(out, keyAddresses(f)...)
			_ = f.Close() // it was only read
		}
	}
	return out
}

func keyAddresses(r io.Reader) []string {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err != nil {
		return nil
	}
	keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(data))
	if err != nil {
		if keys, err = openpgp.ReadKeyRing(bytes.NewReader(data)); err != nil {
			return nil
		}
	}
	var out []string
	for _, key := range keys {
		for _, identity := range key.Identities {
			out = append(out, identity.UserId.Email)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// storeOf is where registries.d has the signatures of a scope, or "" when it says nothing of it: the library then names a
// place that it has for all.
func storeOf(sys *types.SystemContext, scope string) string {
	const nowhere = "scope.invalid"
	if scope == "" {
		scope = nowhere
	}
	ref, err := docker.ParseReference("//" + strings.TrimSuffix(scope, "/") + "/any")
	if err != nil {
		return ""
	}
	u, err := docker.SignatureStorageBaseURL(sys, ref, false)
	if err != nil {
		return ""
	}
	u.Path = strings.TrimSuffix(u.Path, "/"+reference.Path(ref.DockerReference()))
	if u.Scheme == "file" && strings.HasSuffix(u.Path, "/containers/sigstore") {
		return ""
	}
	return u.String()
}

// set puts one scope's requirements in the place of those that it has.
func (f *policyFile) set(t transfer.Trust) error {
	name, ok := policyTypes[t.Type]
	if !ok {
		return errs.Invalid("hull-image does not know the type of trust %q", t.Type)
	}
	if !isScope(t.Scope) {
		return errs.WithHint(errs.Invalid("%q is not the name of a registry or of a part of one", t.Scope), "write HOST[:PORT][/PATH[:TAG]], or default")
	}
	list := []requirement{{Type: name}}
	if len(t.Keys) > 0 {
		list = nil
	}
	for _, path := range t.Keys {
		if err := checkKey(t.Type, path); err != nil {
			return err
		}
		r := requirement{Type: name, KeyPath: path}
		if t.Type == "signedBy" {
			r.KeyType = "GPGKeys"
		}
		list = append(list, r)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if t.Scope == "default" {
		f.fields["default"] = raw
	} else {
		scopes := f.transports[docker.Transport.Name()]
		if scopes == nil {
			scopes = map[string]json.RawMessage{}
			f.transports[docker.Transport.Name()] = scopes
		}
		scopes[t.Scope] = raw
	}
	return f.write()
}

// isScope reports whether some image lies in the scope: it is the name of one or, with a path after it, of another.
func isScope(scope string) bool {
	_, whole := docker.ParseReference("//" + scope)
	_, part := docker.ParseReference("//" + scope + "/any")
	return whole == nil || part == nil
}

// checkKey: an image whose key cannot be read is refused, so the mistake is told now.
func checkKey(kind, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the public key: %w", err)
	}
	defer file.Close()
	if kind == "signedBy" && len(keyAddresses(file)) == 0 {
		return errs.WithHint(errs.Invalid("%q holds no GnuPG public key with a name", path), "gpg --armor --export KEY writes one")
	}
	return nil
}

func (f *policyFile) bad(err error) error {
	return errs.WithHint(errs.Invalid("the policy %q cannot be read: %v", f.path, err), "containers-policy.json(5) says how it is written")
}
