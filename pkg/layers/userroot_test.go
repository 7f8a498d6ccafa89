package layers

import (
	"os"
	"path/filepath"
	"testing"

	"go.podman.io/storage/types"
)

func TestRestore(t *testing.T) {
	file := func(text string) placed {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "storage.conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return placesIn(dir)
	}
	const shipped = "[storage]\ngraphroot = \"/var/lib/containers/storage\"\nrunroot = \"/run/containers/storage\"\n"
	const elsewhere = "[storage]\nrootless_storage_path = \"/srv/$USER/s\"\n"
	t.Setenv("USER", "ann")
	machines := types.StoreOptions{GraphRoot: "/var/lib/containers/storage", RunRoot: "/run/containers/storage"}
	for name, c := range map[string]struct {
		machine, own string
		o            types.StoreOptions
		graph, run   string
	}{
		"a distribution's":             {shipped, "", machines, "/home/ann/data/containers/storage", "/run/user/7/containers"},
		"with a path for users":        {shipped + "rootless_storage_path = \"/srv/$USER/s\"", "", machines, "/srv/ann/s", "/run/user/7/containers"},
		"with a path of the user's":    {shipped, elsewhere, machines, "/srv/ann/s", "/run/user/7/containers"},
		"the user has said where":      {shipped, "[storage]\ngraphroot = \"/big\"\n", types.StoreOptions{GraphRoot: "/big", RunRoot: "/run/containers/storage"}, "/big", "/run/user/7/containers"},
		"nobody has":                   {"", "", types.StoreOptions{GraphRoot: "/home/ann/data/containers/storage", RunRoot: "/run/user/7/containers"}, "/home/ann/data/containers/storage", "/run/user/7/containers"},
		"of a folder of configuration": {"", "[storage]\nrunroot = \"/r\"", types.StoreOptions{GraphRoot: "/g", RunRoot: "/r"}, "/g", "/r"},
	} {
		restore(&c.o, file(c.machine), file(c.own), "/home/ann/data", "/run/user/7")
		if c.o.GraphRoot != c.graph || c.o.RunRoot != c.run {
			t.Errorf("%s: %s, %s", name, c.o.GraphRoot, c.o.RunRoot)
		}
	}
}
