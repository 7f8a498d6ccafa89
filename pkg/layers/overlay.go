package layers

import (
	"os"
	"path/filepath"
	"strings"
)

// OverlayDirs returns the folders that overlay puts a container's root file system together from, by the names that
// podman-inspect(1) has for them, without opening the store; nil with another driver, or when the layer is not there.
func (s *Store) OverlayDirs(containerID string, mounted bool) map[string]string {
	home := s.overlayHome()
	dir := s.ownDir(containerID)
	if !s.isOwn(containerID) {
		dir = filepath.Join(home, LayerID(containerID))
	}
	lower, err := os.ReadFile(filepath.Join(dir, lowerFile))
	if err != nil {
		return nil
	}
	dirs := map[string]string{"UpperDir": filepath.Join(dir, "diff"), "WorkDir": filepath.Join(dir, "work")}
	if mounted {
		dirs["MergedDir"] = filepath.Join(dir, "merged")
	}
	var below []string
	for link := range strings.SplitSeq(strings.TrimSpace(string(lower)), ":") { // l/SHORT, which leads to ../LAYER/diff
		target, err := os.Readlink(filepath.Join(home, link))
		if err != nil {
			return nil
		}
		below = append(below, filepath.Join(home, filepath.Dir(link), target))
	}
	dirs["LowerDir"] = strings.Join(below, ":")
	return dirs
}
