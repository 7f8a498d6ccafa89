package layers

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPrior has stores that podman left, in which nothing says the driver.
func TestPrior(t *testing.T) {
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"nothing yet":          {nil, ""},
		"overlay":              {[]string{"overlay/l", "overlay-layers/layers.json"}, "overlay"},
		"vfs":                  {[]string{"vfs/dir", "vfs-layers/layers.json"}, "vfs"},
		"vfs without a layer":  {[]string{"vfs/dir"}, ""},
		"both":                 {[]string{"overlay/l", "vfs/dir", "vfs-layers/layers.json"}, "overlay"},
		"only networks, other": {[]string{"networks", "libpod/x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, path := range c.paths {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(path, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if got := prior(root); got != c.want {
				t.Errorf("driver %q, want %q", got, c.want)
			}
		})
	}
}
