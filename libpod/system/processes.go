package system

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/pidfd"
	"hull.dev/hull/pkg/reference"
)

// mountLine is what is needed of a line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type mountLine struct{ device, root, point string }

func readMounts(pid string) ([]mountLine, error) {
	data, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var list []mountLine
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 5 {
			list = append(list, mountLine{f[2], unescape.Replace(f[3]), unescape.Replace(f[4])})
		}
	}
	return list, nil
}

// mounts returns the mount points below the runtime directory by container id, the deepest first.
func (s *Service) mounts() (map[string][]string, error) {
	list, err := readMounts("self")
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for _, m := range list {
		for _, room := range []string{"c", "netns"} {
			if id, ok := idBelow(m.point, filepath.Join(s.Dirs.Volatile, room)); ok {
				found[id] = append(found[id], m.point)
			}
		}
	}
	for _, points := range found {
		slices.SortFunc(points, func(a, b string) int { return len(b) - len(a) })
	}
	return found, nil
}

// idBelow is the container id that follows dir in path.
func idBelow(path, dir string) (string, bool) {
	rest, ok := strings.CutPrefix(path, dir+"/")
	if !ok {
		return "", false
	}
	id, _, _ := strings.Cut(rest, "/")
	return id, reference.IsID(id)
}

// processes returns the processes that are in a container or serve one, by container id, and apart from them the uplinks.
// A process in a container is known by the files that are mounted there from the container's runtime directory, also when
// that is gone; one that serves it as servedBy says.
func (s *Service) processes() (inside, uplinks map[string][]int, err error) {
	place, err := s.insideFilesystem()
	if err != nil {
		return nil, nil, err
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, nil, err
	}
	inside, uplinks = map[string][]int{}, map[string][]int{}
	seen := map[string]string{own: ""} // mount namespace: container id in it
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		space, err := os.Readlink("/proc/" + e.Name() + "/ns/mnt")
		if err != nil {
			continue // not ours, or it is gone
		}
		id, known := seen[space]
		if !known {
			id = containerOf(e.Name(), place)
			seen[space] = id
		}
		if id != "" {
			inside[id] = append(inside[id], pid)
			continue
		}
		switch id, kind := s.servedBy(e.Name()); {
		case id == "":
		case kind == helper:
			uplinks[id] = append(uplinks[id], pid)
		case space == own: // else that of a hull in a container, with the same paths
			inside[id] = append(inside[id], pid)
		}
	}
	return inside, uplinks, nil
}

// owner is the container that one process is in or serves, or "".
func (s *Service) owner(pid int) string {
	place, err := s.insideFilesystem()
	if err != nil {
		return ""
	}
	name := strconv.Itoa(pid)
	if id := containerOf(name, place); id != "" {
		return id
	}
	id, _ := s.servedBy(name)
	return id
}

// insideFilesystem is where the folder "c" of the runtime directory lies: its file system and the path in that, as
// mountinfo has them.
func (s *Service) insideFilesystem() (mountLine, error) {
	list, err := readMounts("self")
	if err != nil {
		return mountLine{}, err
	}
	dir := filepath.Join(s.Dirs.Volatile, "c")
	best := mountLine{root: "/", point: "/"}
	for _, m := range list {
		if (dir == m.point || strings.HasPrefix(dir, strings.TrimSuffix(m.point, "/")+"/")) && len(m.point) >= len(best.point) {
			best = m
		}
	}
	rest, err := filepath.Rel(best.point, dir)
	return mountLine{device: best.device, root: filepath.Join(best.root, rest), point: dir}, err
}

func containerOf(pid string, place mountLine) string {
	list, err := readMounts(pid)
	if err != nil {
		return ""
	}
	// In the engine's own namespace such a mount lies at the place that it is of, or there is none.
	for _, m := range list {
		if id, ok := idBelow(m.root, place.root); ok && m.device == place.device && !strings.HasPrefix(m.point, place.point+"/") {
			return id
		}
	}
	return ""
}

// What a program that hull starts for a container is.
type servant int

const (
	monitor servant = iota + 1 // or the OCI runtime; it is in the engine's namespaces
	helper                     // an uplink: it is in namespaces of its own
)

// servants are those programs, as the kernel has their names.
var servants = map[string]servant{
	"hull-conmon": monitor, "crun": monitor, "runc": monitor, "slirp4netns": helper, "pasta": helper, "pasta.avx2": helper,
}

// servedBy is the container that the process was started for, or "": a monitor holds its lock file open, the others have a
// path of the container's among their arguments.
func (s *Service) servedBy(pid string) (string, servant) {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	kind := servants[strings.TrimSpace(string(name))]
	if err != nil || kind == 0 {
		return "", 0
	}
	args, err := os.ReadFile("/proc/" + pid + "/cmdline")
	if err != nil {
		return "", 0
	}
	paths := strings.Split(string(args), "\x00")
	if fds, err := os.ReadDir("/proc/" + pid + "/fd"); err == nil {
		for _, fd := range fds {
			if target, err := os.Readlink("/proc/" + pid + "/fd/" + fd.Name()); err == nil {
				paths = append(paths, target)
			}
		}
	}
	for _, path := range paths {
		for _, room := range []string{"c", "netns"} {
			if id, ok := idBelow(path, filepath.Join(s.Dirs.Volatile, room)); ok {
				return id, kind
			}
		}
	}
	return "", 0
}

// kill ends processes that belong to a container that is gone; still says whether the pid is one of its processes.
func kill(pids []int, still func(pid int) bool) error {
	var failed []error
	for _, pid := range pids {
		failed = append(failed, pidfd.Signal(pid, unix.SIGKILL, func() (bool, error) { return still(pid), nil }))
	}
	return errors.Join(failed...)
}
