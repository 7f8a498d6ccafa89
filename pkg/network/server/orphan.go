package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/pidfd"
)

// begunFile is there from before the way out is started until its record is written. A hull-net that is killed in between
// leaves a process that nobody knows of, and that keeps the next from its interface.
const begunFile = "begun"

// uplinks are the programs of ways out, as the kernel has their names. hull-net is the built-in one.
var uplinks = []string{"slirp4netns", "pasta", "pasta.avx2", "hull-net"}

// orphanTime is how long a killed orphan may take to end.
const orphanTime = 5 * time.Second

// announce says that a start begins, and ends what an earlier one left.
func (w *way) announce() error {
	if err := os.MkdirAll(w.request.Dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(w.request.Dir, begunFile)
	if _, err := os.Lstat(path); err == nil {
		return w.endOrphans()
	}
	return atomicfile.WriteVolatile(path, nil)
}

// announced says that the start has a record, or that nothing is left of it.
func (w *way) announced() error {
	err := os.Remove(filepath.Join(w.request.Dir, begunFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// endOrphans kills the ways out of this namespace, which they have as an argument, and waits for their end.
func (w *way) endOrphans() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !w.isOrphan(e.Name()) {
			continue
		}
		if err := pidfd.Kill(pid, orphanTime, func() (bool, error) { return w.isOrphan(e.Name()), nil }); err != nil {
			return fmt.Errorf("end the uplink that was left: %w", err)
		}
	}
	return nil
}

func (w *way) isOrphan(pid string) bool {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil || !slices.Contains(uplinks, strings.TrimSpace(string(name))) {
		return false
	}
	args, err := os.ReadFile("/proc/" + pid + "/cmdline")
	return err == nil && slices.Contains(strings.Split(string(args), "\x00"), w.request.Path)
}
