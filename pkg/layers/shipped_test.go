package layers

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go.podman.io/storage/types"
)

// TestShippedStorageConf: the file that a distribution would ship says what holds without it, for root and for users.
func TestShippedStorageConf(t *testing.T) {
	load := func(path string) types.StoreOptions {
		t.Helper()
		t.Setenv("CONTAINERS_STORAGE_CONF", path)
		o, err := types.LoadStoreOptions(types.LoadOptions{RootForImplicitAbsolutePaths: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	nothing := filepath.Join(t.TempDir(), "storage.conf")
	if err := os.WriteFile(nothing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	with, without := load("../../contrib/containers/storage.conf"), load(nothing)
	if with.GraphDriverName != "overlay" {
		t.Errorf("storage.conf has the driver %q", with.GraphDriverName)
	}
	with.GraphDriverName = without.GraphDriverName // without one it is the first that works, which is overlay
	if !reflect.DeepEqual(with, without) {
		t.Errorf("storage.conf is %+v, the default %+v", with, without)
	}
}
