package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/configfile"
	"go.podman.io/storage/pkg/homedir"
	"go.podman.io/storage/pkg/unshare"

	"hull.dev/hull/pkg/transfer"
)

// access adds what registries are reached by: the files of the user and what these name. Those of the machine are in /etc.
// A file that cannot be read or understood is an error where it is used, in better words than here.
func (r *reach) access(a transfer.Access) error {
	config, err := homedir.GetConfigHome()
	if err != nil {
		return errUnknown
	}
	home := homedir.Get()
	folders := []string{filepath.Join(config, "containers"), filepath.Join(home, ".docker"), os.Getenv("DOCKER_CONFIG"), a.CertDir}
	r.read = append(r.read, folders...)
	for _, dir := range append(folders, "/etc/containers", "/etc/docker") {
		r.read = append(r.read, linked(dir)...)
	}
	for _, name := range []string{
		"CONTAINERS_REGISTRIES_CONF", "CONTAINERS_REGISTRIES_CONF_OVERRIDE", "CONTAINERS_POLICY_JSON", "CONTAINERS_STORAGE_CONF",
		"CONTAINERS_STORAGE_CONF_OVERRIDE", "DOCKER_CERT_PATH", "SSL_CERT_FILE",
	} {
		r.read = append(r.read, os.Getenv(name))
	}
	r.read = append(r.read, filepath.SplitList(os.Getenv("SSL_CERT_DIR"))...)
	auth := authFiles(a)
	for _, path := range auth {
		r.read = append(r.read, around(path))
	}
	auth = append(auth, filepath.Join(config, "containers/auth.json"), filepath.Join(home, ".docker/config.json"),
		filepath.Join(home, ".dockercfg"), filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"))
	r.read = append(r.read, filepath.Join(home, ".dockercfg"))
	readRegistries() // the library would do it once more beside Prepare
	if helped(system(a), auth) {
		return errUnknown
	}
	if p, err := readPolicy(); err == nil {
		r.read = append(r.read, keyPaths(p.raw)...)
	}
	r.read = append(r.read, lookasides(false)...)
	return nil
}

// authFiles are those that credentials are written to, and that are read first (containers-auth.json(5)).
func authFiles(a transfer.Access) []string {
	var list []string
	for _, path := range []string{a.AuthFile, a.CompatAuthFile, os.Getenv("REGISTRY_AUTH_FILE")} {
		if path != "" {
			list = append(list, path)
		}
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return append(list, filepath.Join(dir, "containers/auth.json"))
	}
	return append(list, fmt.Sprintf("/run/containers/%d/auth.json", os.Getuid()))
}

// around is the folder of a file that others replace, a login of another process; but the file alone where the folder is the
// user's home, or one with homes or anybody's files in it.
func around(path string) string {
	dir := filepath.Dir(path)
	if home := homedir.Get(); within(home, []string{dir}) || dir == "/" || dir == filepath.Clean(os.TempDir()) {
		return path
	}
	return dir
}

// credentials adds where a login writes: a file is put in the place of the old one, so the folder is needed, and made.
func (r *reach) credentials(a transfer.Access) { r.folder(filepath.Dir(authFiles(a)[0])) }

// remembered adds where the library keeps what a user has chosen for a short name. It locks that file for each name that it
// looks up, and makes the folder.
func (r *reach) remembered() {
	if path, err := chosenAliases(); err == nil {
		r.folder(filepath.Dir(path))
	}
}

// folder adds one to write in. Where it cannot be made, who needs it says so.
func (r *reach) folder(path string) {
	_ = os.MkdirAll(path, 0o700)
	r.write = append(r.write, path)
}

// helped reports whether credentials come out of programs (docker-credential-helpers), for any registry at all.
func helped(sys *types.SystemContext, auth []string) bool {
	helpers, err := sysregistriesv2.CredentialHelpers(sys)
	if err == nil && slices.ContainsFunc(helpers, func(h string) bool { return h != sysregistriesv2.AuthenticationFileHelper }) {
		return true
	}
	return slices.ContainsFunc(auth, func(path string) bool {
		var file struct {
			CredHelpers map[string]string `json:"credHelpers"`
		}
		data, err := os.ReadFile(path)
		return err == nil && json.Unmarshal(data, &file) == nil && len(file.CredHelpers) > 0
	})
}

// keyPaths are the paths in policy.json: of keys, certificates, and logs' keys.
func keyPaths(policy []byte) []string {
	var document any
	if json.Unmarshal(policy, &document) != nil {
		return nil
	}
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			if filepath.IsAbs(v) {
				all = append(all, v)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(document)
	return all
}

// lookasideFile is a folder of signatures in a file of registries.d.
var lookasideFile = regexp.MustCompile(`file:/[^\s"']*`)

// lookasides are the folders of signatures that registries.d names, and the one without it; to be written, each up to the
// folder that is there.
func lookasides(written bool) []string {
	all := []string{"/var/lib/containers/sigstore"}
	if unshare.IsRootless() {
		all = []string{filepath.Join(homedir.Get(), ".local/share/containers/sigstore")}
	}
	files := &configfile.File{
		Name: "registries", Extension: "yaml", DoNotLoadMainFiles: true, DoNotUseExtensionForConfigName: true, UserId: unshare.GetRootlessUID(),
	}
	for item, err := range configfile.Read(files) {
		if err != nil {
			break
		}
		data, err := io.ReadAll(io.LimitReader(item.Reader, maxManifest))
		if err != nil {
			break
		}
		for _, match := range lookasideFile.FindAll(data, -1) {
			if u, err := url.Parse(string(match)); err == nil {
				all = append(all, u.Path)
			}
		}
	}
	for i, path := range all {
		for written && path != "/" {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				break
			}
			path = filepath.Dir(path)
		}
		all[i] = path
	}
	return all
}

// linked are the places elsewhere that links in a folder of the configuration lead to.
func linked(dir string) []string {
	const most = 1000 // entries that are looked at
	var out []string
	seen := 0
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if seen++; err != nil || seen > most {
			return fs.SkipAll
		}
		if e.Type()&fs.ModeSymlink != 0 {
			if target, err := filepath.EvalSymlinks(path); err == nil {
				out = append(out, target)
			}
		}
		return nil
	})
	return out
}
