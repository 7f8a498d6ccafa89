package ociruntime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where cgroups are mounted (cgroups(7)).
const cgroupRoot = "/sys/fs/cgroup"

// crunStatus is what hull reads of crun's file ROOT/ID/status (libcrun/status.c, the same since crun 0.10).
type crunStatus struct {
	PID           int     `json:"pid"`
	CgroupPath    *string `json:"cgroup-path"` // "" without a cgroup of its own
	SystemdCgroup *bool   `json:"systemd-cgroup"`
}

// forget does the work of "crun delete" for a container whose process has ended and that leaves nothing but an empty
// cgroup and crun's folder, and reports whether it did: a process of crun for it costs 4 ms. Whatever is not as known, or needs more
// (hooks, a scope of systemd's, a process that lives), is left to crun as it was. The status goes last: as long as it is
// there, a delete that was killed can be done again.
func (r Runtime) forget(id string) bool {
	if r.Name() != "crun" || r.Root == "" || len(r.Flags) > 0 || id == "" || id != filepath.Base(id) {
		return false
	}
	dir := filepath.Join(r.Root, id)
	data, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return false
	}
	var s crunStatus
	if json.Unmarshal(data, &s) != nil || s.CgroupPath == nil || s.SystemdCgroup == nil || *s.SystemdCgroup || s.PID <= 0 {
		return false
	}
	if !errors.Is(unix.Kill(s.PID, 0), unix.ESRCH) {
		return false
	}
	spec, err := os.ReadFile(filepath.Join(dir, "config.json"))
	looked := errors.Is(err, os.ErrNotExist) // by a forget that was killed when it had taken it away
	if err != nil && !looked || bytes.Contains(spec, []byte(`"hooks"`)) || !removeCgroup(*s.CgroupPath) {
		return false
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() != "status" && unix.Unlink(filepath.Join(dir, e.Name())) != nil {
			return false
		}
	}
	return unix.Unlink(filepath.Join(dir, "status")) == nil && unix.Rmdir(dir) == nil
}

// RemoveCgroup takes away the cgroup of a container that the runtime knows nothing of, path being below the mount of cgroups: a runtime
// that dies, or refuses, between its first steps leaves it. A process in it is one of that runtime's, and killed (cgroup.kill,
// cgroups(7), since Linux 5.14).
func RemoveCgroup(ctx context.Context, path string) error {
	dir := filepath.Join(cgroupRoot, path)
	if _, err := os.Lstat(dir); err != nil || removeCgroup(path) {
		return nil // there is none
	}
	kill, err := os.OpenFile(filepath.Join(dir, "cgroup.kill"), os.O_WRONLY, 0)
	if err != nil {
		return nil // an older kernel, or somebody else's: "hull system check" tells of it
	}
	_, err = kill.WriteString("1")
	if err = errors.Join(err, kill.Close()); err != nil {
		return fmt.Errorf("end what is in cgroup %q: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	for !removeCgroup(path) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove cgroup %q, which is in use: %w", path, context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// removeCgroup removes a cgroup that has no process any more, and what is below it. Only the unified hierarchy is known.
func removeCgroup(path string) bool {
	if path == "" {
		return true
	}
	if _, err := os.Stat(cgroupRoot + "/cgroup.controllers"); err != nil || path != filepath.Clean(path) || !strings.HasPrefix(path, "/") || path == "/" {
		return false
	}
	return removeTree(filepath.Join(cgroupRoot, path))
}

func removeTree(dir string) bool {
	err := unix.Rmdir(dir)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() && !removeTree(filepath.Join(dir, e.Name())) {
			return false
		}
	}
	return unix.Rmdir(dir) == nil
}
