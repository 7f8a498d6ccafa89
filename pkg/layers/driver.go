package layers

import (
	"os"
	"path/filepath"
)

// prior is the driver of a store that nothing configures but that is there already: overlay, else vfs when it holds
// layers, else "", and the library finds one. The library itself passes over vfs, makes overlay beside it, and refuses
// both from then on; podman has vfs where fuse-overlayfs is missing (storage.conf(5), "driver").
func prior(root string) string {
	if _, err := os.Stat(filepath.Join(root, "overlay")); err == nil {
		return "overlay"
	}
	if _, err := os.Stat(filepath.Join(root, "vfs-layers", "layers.json")); err == nil {
		return "vfs"
	}
	return ""
}
