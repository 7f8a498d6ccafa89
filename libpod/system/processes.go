package system

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/reference"
)

// mountLine is what is needed of a line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type mountLine struct{ root, point string }

func readMounts(pid string) ([]mountLine, error) {
	data, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var list []mountLine
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 5 {
			list = append(list, mountLine{unescape.Replace(f[3]), unescape.Replace(f[4])})
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

// processes returns the processes that are in a container or watch over one, by container id. A process in a container is
// known by the files that are mounted there from the container's runtime directory, also when that is gone; a monitor by
// its lock file, which it holds open.
func (s *Service) processes() (map[string][]int, error) {
	inside, err := s.insideFilesystem()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	seen := map[string]string{} // mount namespace: container id in it
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
			id = containerOf(e.Name(), inside)
			seen[space] = id
		}
		if id == "" {
			id = s.watchedBy(e.Name())
		}
		if id != "" {
			found[id] = append(found[id], pid)
		}
	}
	return found, nil
}

// insideFilesystem is the path of the folder "c" of the runtime directory in its own file system, as mountinfo has it.
func (s *Service) insideFilesystem() (string, error) {
	list, err := readMounts("self")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.Dirs.Volatile, "c")
	best := mountLine{root: "/", point: "/"}
	for _, m := range list {
		if (dir == m.point || strings.HasPrefix(dir, strings.TrimSuffix(m.point, "/")+"/")) && len(m.point) >= len(best.point) {
			best = m
		}
	}
	rest, err := filepath.Rel(best.point, dir)
	return filepath.Join(best.root, rest), err
}

func containerOf(pid, inside string) string {
	list, err := readMounts(pid)
	if err != nil {
		return ""
	}
	// In the engine's own namespace such a mount lies at the place that it is of, or there is none.
	for _, m := range list {
		if id, ok := idBelow(m.root, inside); ok && !strings.HasSuffix(m.point, m.root) {
			return id
		}
	}
	return ""
}

// watchedBy is the container whose monitor the process is, or "".
func (s *Service) watchedBy(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil || !bytes.HasPrefix(name, []byte("hull-conmon")) {
		return ""
	}
	fds, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		target, err := os.Readlink("/proc/" + pid + "/fd/" + fd.Name())
		if err != nil {
			continue
		}
		if id, ok := idBelow(target, filepath.Join(s.Dirs.Volatile, "c")); ok {
			return id
		}
	}
	return ""
}

// kill ends processes that belong to a container that is gone; still says whether the pid is one of its processes.
func kill(pids []int, still func(pid int) bool) error {
	var failed []error
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			failed = append(failed, os.NewSyscallError("pidfd_open", err))
			continue
		}
		if still(pid) {
			if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				failed = append(failed, os.NewSyscallError("pidfd_send_signal", err))
			}
		}
		_ = unix.Close(fd)
	}
	return errors.Join(failed...)
}
