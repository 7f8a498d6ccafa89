package containers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/pkg/errs"
)

// overlaid reports whether a mount has the option O: what the container writes to it goes elsewhere (podman-run(1) --volume).
func overlaid(options []string) bool { return has(options, "O") }

func anyOverlaid(c *define.ContainerConfig) bool {
	for _, m := range c.Options.Mounts {
		if overlaid(m.Options) {
			return true
		}
	}
	return false
}

// overlaysDir holds what containers write to mounts with the option O, for as long as they run.
func (s *Service) overlaysDir(id string) string { return filepath.Join(s.staticDir(id), "overlays") }

// makeOverlays makes the empty folders for a start, by where in the container the mount is.
func (s *Service) makeOverlays(c *define.ContainerConfig) (map[string]ocispec.Overlay, error) {
	if !anyOverlaid(c) {
		return nil, nil //nolint:nilnil // none are asked for
	}
	if err := s.removeOverlays(c); err != nil { // of a run that was killed
		return nil, err
	}
	made := map[string]ocispec.Overlay{}
	for i, m := range c.Options.Mounts {
		if !overlaid(m.Options) {
			continue
		}
		source := m.Source
		if m.Type == "volume" {
			source = s.mountpoint(volumeAt(c, m.Dest))
		}
		o, err := overlayOf(m.Options, filepath.Join(s.overlaysDir(c.ID), strconv.Itoa(i)), source)
		if err != nil {
			return nil, fmt.Errorf("overlay for %q: %w", m.Dest, err)
		}
		made[filepath.Clean(m.Dest)] = o
	}
	return made, nil
}

// overlayOf is where the options say that what is written goes, else new folders in dir.
func overlayOf(options []string, dir, source string) (ocispec.Overlay, error) {
	o := ocispec.Overlay{Lower: source}
	for _, option := range options {
		if path, ok := strings.CutPrefix(option, "upperdir="); ok {
			o.Upper = path
		}
		if path, ok := strings.CutPrefix(option, "workdir="); ok {
			o.Work = path
		}
	}
	if o.Upper != "" {
		return o, nil
	}
	o.Upper, o.Work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	st, err := os.Stat(source)
	if err != nil {
		return o, err
	}
	if !st.IsDir() {
		return o, errs.Invalid("%q is not a folder", source)
	}
	for _, path := range []string{o.Upper, o.Work} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return o, err
		}
	}
	own := fileOwner(st)
	if err := os.Chown(o.Upper, own.uid, own.gid); err != nil && !os.IsPermission(err) { // an owner who is not mapped
		return o, err
	}
	return o, os.Chmod(o.Upper, st.Mode())
}

// volumeAt is the name of the volume that is mounted at dest.
func volumeAt(c *define.ContainerConfig, dest string) string {
	for _, v := range c.Volumes {
		if v.Dest == filepath.Clean(dest) {
			return v.Name
		}
	}
	return ""
}

// removeOverlays forgets what a container wrote to its overlays.
func (s *Service) removeOverlays(c *define.ContainerConfig) error {
	if !anyOverlaid(c) {
		return nil
	}
	return os.RemoveAll(s.overlaysDir(c.ID))
}
