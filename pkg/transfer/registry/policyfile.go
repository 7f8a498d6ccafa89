package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.podman.io/image/v5/signature"
	"go.podman.io/storage/pkg/configfile"
	"go.podman.io/storage/pkg/unshare"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/failpoint"
)

// adminPolicy is the file that root changes.
const adminPolicy = "/etc/containers/policy.json"

// builtInPolicy is in force on a machine without a policy.json: every image is accepted, as the file of the distributions
// has it.
const builtInPolicy = `{"default":[{"type":"insecureAcceptAnything"}]}`

// policyFile is policy.json as it is in force, with all that it says beside what hull knows of.
type policyFile struct {
	path       string // "": there is none
	raw        []byte
	fields     map[string]json.RawMessage
	transports map[string]map[string]json.RawMessage // by transport and scope: the list of requirements
}

// policySearch is how go.podman.io/image looks for the file.
func policySearch() *configfile.File {
	return &configfile.File{
		Name: "policy", Extension: "json", DoNotLoadDropInFiles: true, EnvironmentName: "CONTAINERS_POLICY_JSON", ErrorIfNotFound: true,
	}
}

// readPolicy reads the file in force, or what is without one.
func readPolicy() (*policyFile, error) {
	f := &policyFile{raw: []byte(builtInPolicy)}
	for item, err := range configfile.Read(policySearch()) {
		if errors.Is(err, configfile.ErrConfigFileNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		f.path = item.Name
		if f.raw, err = io.ReadAll(io.LimitReader(item.Reader, maxManifest)); err != nil {
			return nil, err
		}
	}
	if _, err := signature.NewPolicyFromBytes(f.raw); err != nil {
		return nil, f.bad(err)
	}
	if err := json.Unmarshal(f.raw, &f.fields); err != nil {
		return nil, f.bad(err)
	}
	f.transports = map[string]map[string]json.RawMessage{}
	if raw, ok := f.fields["transports"]; ok {
		if err := json.Unmarshal(raw, &f.transports); err != nil {
			return nil, f.bad(err)
		}
	}
	return f, nil
}

// write puts the file in its place, if the library takes it. Everybody may read it: it holds no secret, and the one of
// the machine is for all users.
func (f *policyFile) write() (err error) {
	if len(f.transports) > 0 {
		if f.fields["transports"], err = json.Marshal(f.transports); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(f.fields, "", "    ")
	if err != nil {
		return err
	}
	if _, err := signature.NewPolicyFromBytes(data); err != nil {
		return fmt.Errorf("the policy would be one that nobody can read: %w", err)
	}
	path, err := f.target()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	p, err := atomicfile.New(path, 0o644)
	if err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if _, err := p.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("write the policy %q: %w", path, err)
	}
	failpoint.Hit("trust/written")
	return p.Commit()
}

// target is the file to write: the one in force where it is the user's or the administrator's to change, else a new one
// that comes before it. A link is followed.
func (f *policyFile) target() (string, error) {
	paths, err := configfile.GetSearchPaths(policySearch())
	if err != nil {
		return "", err
	}
	own := adminPolicy
	if unshare.IsRootless() {
		own = paths.MainFiles[0]
	}
	if f.path == "" || strings.HasPrefix(f.path, "/usr/") || f.path == adminPolicy && unshare.IsRootless() {
		return own, nil
	}
	return filepath.EvalSymlinks(f.path)
}
