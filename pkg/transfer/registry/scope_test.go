package registry

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"hull.dev/hull/pkg/transfer"
)

// rules are lists of one requirement, by their type.
func rules(kind string) []any { return []any{object{"type": kind}} }

const accept, reject = "insecureAcceptAnything", "reject"

// TestPolicyScopes: a scope that holds for an image decides, for and against what is said of all others; one beside it
// does not. Of several the narrowest decides.
func TestPolicyScopes(t *testing.T) {
	const tag, repository = "reg.example.test/team/x:1", "reg.example.test/team/x"
	s := newSigned(t)
	byDigest := repository + "@" + digest.FromBytes(s.manifest).String()
	for name, c := range map[string]struct {
		pulled, scope string
		outside       bool
	}{
		"registry":              {pulled: tag, scope: "reg.example.test"},
		"other registry":        {pulled: tag, scope: "other.example.test", outside: true},
		"namespace":             {pulled: tag, scope: "reg.example.test/team"},
		"half a namespace":      {pulled: tag, scope: "reg.example.test/tea", outside: true},
		"repository":            {pulled: tag, scope: repository},
		"other repository":      {pulled: tag, scope: repository + "y", outside: true},
		"tag":                   {pulled: tag, scope: tag},
		"other tag":             {pulled: tag, scope: repository + ":2", outside: true},
		"digest":                {pulled: byDigest, scope: byDigest},
		"digest, by the tag":    {pulled: tag, scope: byDigest, outside: true},
		"repository, by digest": {pulled: byDigest, scope: repository},
		"wildcard":              {pulled: tag, scope: "*.example.test"},
		"wider wildcard":        {pulled: tag, scope: "*.test"},
		"other wildcard":        {pulled: tag, scope: "*.example.org", outside: true},
		"wildcard of the host":  {pulled: tag, scope: "*.reg.example.test", outside: true},
		"transport":             {pulled: tag, scope: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigned(t)
			refuses := object{"docker": object{c.scope: rules(reject)}}
			lets := object{"docker": object{c.scope: rules(accept)}}
			if c.outside {
				s.policy(reject, lets)
				s.comes(c.pulled, "rejected by policy")
				s.policy(accept, refuses)
			} else {
				s.policy(accept, refuses)
				s.comes(c.pulled, "rejected by policy")
				s.policy(reject, lets)
			}
			s.comes(c.pulled, "")
		})
	}
	t.Run("narrowest", func(t *testing.T) {
		scopes := []string{"", "*.test", "*.example.test", "reg.example.test", "reg.example.test/team", repository, tag}
		s := newSigned(t)
		for i := range scopes {
			said := object{}
			for j, scope := range scopes[:i+1] {
				said[scope] = rules(map[bool]string{true: reject, false: accept}[j == i])
			}
			s.policy(accept, object{"docker": said})
			s.comes(tag, "rejected by policy")
		}
	})
}

// TestPolicyTransports: what comes from a file is asked for too, by the transport that reads it, and its path.
func TestPolicyTransports(t *testing.T) {
	layer := makeTar(t, file{name: "x", data: "hello"})
	dir := t.TempDir()
	files := ociFiles(t, zipped(t, layer), digest.FromBytes(layer))
	for _, f := range files {
		path := filepath.Join(dir, "oci", f.name)
		if err := errorsJoin(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(f.data), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"oci.tar": makeTar(t, files...), "docker.tar": dockerSave(t, layer, "localhost/a:1"), "root.tar": layer} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := pushedFolder(t)
	pull := func(ref string) transfer.Request {
		return transfer.Request{Op: transfer.OpPull, Pull: transfer.Pull{Reference: ref}}
	}
	from := func(op, name string) transfer.Request {
		return transfer.Request{Op: op, Path: filepath.Join(dir, name), Source: name}
	}
	for name, c := range map[string]struct {
		request          transfer.Request
		transport, scope string
	}{
		"pull dir":                    {pull("dir:" + folder), "dir", ""},
		"pull dir, its path":          {pull("dir:" + folder), "dir", folder},
		"pull dir, what it lies in":   {pull("dir:" + folder), "dir", filepath.Dir(folder)},
		"pull oci":                    {pull("oci:" + dir + "/oci"), "oci", ""},
		"pull oci, what it lies in":   {pull("oci:" + dir + "/oci"), "oci", dir},
		"pull oci-archive":            {pull("oci-archive:" + dir + "/oci.tar"), "oci-archive", ""},
		"pull docker-archive":         {pull("docker-archive:" + dir + "/docker.tar:localhost/a:1"), "docker-archive", ""},
		"pull docker-archive, all":    {pull("docker-archive:" + dir + "/docker.tar"), "docker-archive", ""},
		"load docker-archive":         {from(transfer.OpLoad, "docker.tar"), "docker-archive", ""},
		"load oci-archive":            {from(transfer.OpLoad, "oci.tar"), "oci-archive", ""},
		"load oci-archive, its path":  {from(transfer.OpLoad, "oci.tar"), "oci-archive", dir + "/oci.tar"},
		"load oci-archive, lies in":   {from(transfer.OpLoad, "oci.tar"), "oci-archive", dir},
		"load oci":                    {from(transfer.OpLoad, "oci"), "oci", ""},
		"load oci, what it lies in":   {from(transfer.OpLoad, "oci"), "oci", dir},
		"import":                      {from(transfer.OpImport, "root.tar"), "tarball", ""},
		"load oci, beside the folder": {from(transfer.OpLoad, "oci"), "oci", dir + "/oc"},
	} {
		t.Run(name, func(t *testing.T) {
			fallback, lets := reject, accept
			if name == "load oci, beside the folder" {
				fallback, lets = accept, reject
			}
			s := newSigned(t)
			if fallback == reject {
				s.policy(accept, object{c.transport: object{c.scope: rules(reject)}})
				_, err := s.job(c.request)
				s.judge(err, "rejected by policy")
				s.policy(accept, object{c.transport: object{c.scope: []any{object{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "nosuch"}}}})
				_, err = s.job(c.request)
				s.judge(err, "A signature was required")
			}
			s.policy(fallback, object{c.transport: object{c.scope: rules(lets)}})
			_, err := s.job(c.request)
			s.judge(err, "")
		})
	}
	t.Run("hull's own image", func(t *testing.T) {
		s := newSigned(t)
		s.policy(reject, nil)
		_, err := s.job(transfer.Request{Op: transfer.OpHello, HelloPath: s.write("hello", "#!"), Source: "hello"})
		s.judge(err, "")
	})
}

// pushedFolder is an image in a folder, as the transport dir has it.
func pushedFolder(t *testing.T) string {
	t.Helper()
	r, img := loaded(t)
	folder := filepath.Join(t.TempDir(), "lies", "folder")
	if err := os.Mkdir(filepath.Dir(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.job(transfer.Request{Op: transfer.OpPush, Push: transfer.Push{ID: img.ID, Destination: "dir:" + folder}}); err != nil {
		t.Fatal(err)
	}
	return folder
}
