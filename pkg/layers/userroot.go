package layers

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"go.podman.io/storage/pkg/homedir"
	"go.podman.io/storage/pkg/unshare"
	"go.podman.io/storage/types"
)

// placed are the keys of storage.conf that say where a store is.
type placed struct {
	Storage struct {
		GraphRoot   string `toml:"graphroot"`
		RunRoot     string `toml:"runroot"`
		StoragePath string `toml:"rootless_storage_path"`
	} `toml:"storage"`
}

// userRoots puts the store of a user back into the user's folders when the machine's storage.conf names others. The library
// takes graphroot and runroot of any file for everyone; until podman 6 those of /usr/share and /etc were root's, and what
// distributions ship says /var/lib/containers/storage there, where a user cannot write. A file of the user's own and
// rootless_storage_path are heeded (containers-storage.conf(5)).
func userRoots(o *types.StoreOptions) error {
	if !unshare.IsRootless() || unshare.GetRootlessUID() == 0 || os.Getenv("CONTAINERS_STORAGE_CONF") != "" {
		return nil
	}
	if strings.HasPrefix(o.GraphRoot, homedir.Get()+"/") && strings.HasPrefix(o.RunRoot, os.Getenv("XDG_RUNTIME_DIR")+"/") {
		return nil // the user's already, as nearly always
	}
	data, err := homedir.GetDataHome()
	if err != nil {
		return err
	}
	runtime, err := homedir.GetRuntimeDir()
	if err != nil {
		return err
	}
	config, err := homedir.GetConfigHome()
	if err != nil {
		return err
	}
	machine := placesIn("/usr/share/containers", "/etc/containers")
	restore(o, machine, placesIn(filepath.Join(config, "containers")), data, runtime)
	return nil
}

// restore is userRoots with what the files say and the user's folders.
func restore(o *types.StoreOptions, machine, own placed, data, runtime string) {
	graph, run := filepath.Join(data, "containers/storage"), filepath.Join(runtime, "containers")
	if o.GraphRoot != graph && machine.Storage.GraphRoot != "" && own.Storage.GraphRoot == "" {
		for _, path := range []string{own.Storage.StoragePath, machine.Storage.StoragePath} {
			if path != "" {
				graph = filepath.Clean(os.ExpandEnv(strings.ReplaceAll(path, "$UID", strconv.Itoa(unshare.GetRootlessUID()))))
				break
			}
		}
		o.GraphRoot = graph
	}
	if o.RunRoot != run && machine.Storage.RunRoot != "" && own.Storage.RunRoot == "" {
		o.RunRoot = run
	}
}

// placesIn reads storage.conf and the files of storage.conf.d in these folders; a later one counts. One that cannot be read
// is the library's to complain of.
func placesIn(folders ...string) (p placed) {
	for _, folder := range folders {
		more, _ := filepath.Glob(filepath.Join(folder, "storage.conf.d", "*.conf")) // the pattern is a good one
		slices.Sort(more)
		for _, path := range append([]string{filepath.Join(folder, "storage.conf")}, more...) {
			_, _ = toml.DecodeFile(path, &p)
		}
	}
	return p
}
