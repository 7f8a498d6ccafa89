package env

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Sandbox is a hull of its own: a home, a runtime folder and stores that no other sandbox has.
type Sandbox struct {
	Dir  string   // short, for the paths of sockets are
	Vars []string // the environment, KEY=value
	// Ports are free ports of the host's, which no other sandbox of this process gets.
	Ports [3]int
}

var sandboxes atomic.Int32

// NewSandbox makes the folders and the configuration of a sandbox for the identity that this process is. It is for
// processes that Suite.Command started.
func NewSandbox(t testing.TB) *Sandbox {
	t.Helper()
	_, p, _ := FromEnvironment()
	n := int(sandboxes.Add(1))
	s := &Sandbox{Dir: filepath.Join(os.Getenv("HOME"), strconv.Itoa(n))}
	for i := range s.Ports {
		// Below what the kernel gives to connections (32768, ip_sysctl), and away from what the process before this one had.
		s.Ports[i] = 10000 + os.Getpid()%20*1000 + n*3 + i
	}
	for _, dir := range []string{"home/.config/containers", "data", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(s.Dir, dir), 0o700))
	}
	// In memory, as on a machine that people log in to; s.Dir is in the path, so that what has it open is known.
	runtime := filepath.Join("/dev/shm", s.Dir, "run")
	must(t, os.MkdirAll(runtime, 0o700))
	must(t, os.Symlink(runtime, filepath.Join(s.Dir, "run")))
	storage := "[storage]\ndriver = \"overlay\"\n"
	engine := fmt.Sprintf("[engine]\nruntime = %q\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n", p.Runtime)
	if Oracle() {
		// Each sandbox is a fresh boot to podman, and a boot frees every lock in the shared memory that sandboxes share.
		engine += "lock_type = \"file\"\nimage_default_transport = \"docker://\"\n"
	}
	config := filepath.Join(s.Dir, "home/.config/containers")
	s.Vars = []string{"HOME=" + filepath.Join(s.Dir, "home"), "TMPDIR=" + filepath.Join(s.Dir, "tmp")}
	if p.Identity == "root" {
		storage += fmt.Sprintf("graphroot = %q\nrunroot = %q\n", filepath.Join(s.Dir, "data"), filepath.Join(runtime, "storage"))
		engine += fmt.Sprintf("tmp_dir = %q\nstatic_dir = %q\nvolume_path = %q\n", filepath.Join(runtime, "tmp"),
			filepath.Join(s.Dir, "data/libpod"), filepath.Join(s.Dir, "data/volumes"))
		s.Vars = append(s.Vars, "CONTAINERS_CONF="+filepath.Join(config, "containers.conf"),
			"CONTAINERS_STORAGE_CONF="+filepath.Join(config, "storage.conf"))
	} else {
		s.Vars = append(s.Vars, "XDG_RUNTIME_DIR="+runtime, "XDG_DATA_HOME="+filepath.Join(s.Dir, "data"))
	}
	if Oracle() {
		engine += fmt.Sprintf("[network]\nnetwork_config_dir = %q\n", filepath.Join(s.Dir, "networks")) // root's is in /etc
	}
	// Most stories need no network, and none is the fastest.
	engine += "[containers]\nlog_driver = \"k8s-file\"\nnetns = \"none\"\n"
	if p.Identity == "root" {
		// The machine may lack the pids controller, and CAP_SYS_RESOURCE to raise a limit: podman's root defaults need both.
		engine += "pids_limit = 0\ndefault_ulimits = [\"nofile=1024:1024\"]\n"
	}
	must(t, os.WriteFile(filepath.Join(config, "storage.conf"), []byte(storage), 0o600))
	must(t, os.WriteFile(filepath.Join(config, "containers.conf"), []byte(engine), 0o600))
	return s
}

// NoKeyrings spares containers their keyrings: a user has 200 keys (keyrings(7), kernel.keys.maxkeys).
func (s *Sandbox) NoKeyrings(t testing.TB) {
	t.Helper()
	path := filepath.Join(s.Dir, "home/.config/containers/containers.conf")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(text, "keyring = false\n"...), 0o600))
}

// Hull runs hull in the sandbox.
func (s *Sandbox) Hull(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("hull", args...) // no context: t.Context is over when a clean-up runs
	cmd.Env = append(os.Environ(), s.Vars...)
	cmd.Dir = s.Dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// End removes every container, lets hull check itself, ends the pause process, and fails the test if any process of the
// sandbox is still there.
func (s *Sandbox) End(t testing.TB) {
	t.Helper()
	if out, err := s.Hull(t, "rm", "-fa", "-t0"); err != nil {
		t.Errorf("remove the containers that the script left: %v\n%s", err, out)
	}
	if !Oracle() {
		if _, err := s.Hull(t, "system", "check", "--help"); err == nil {
			if out, err := s.Hull(t, "system", "check"); err != nil {
				t.Errorf("hull system check: %v\n%s", err, out)
			}
		}
	}
	s.endNet(t)
	s.endPause()
	deadline := time.Now().Add(3 * time.Second)
	left := s.Processes()
	for len(left) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // polls, until a deadline
		left = s.Processes()
	}
	for pid, command := range left {
		if !Oracle() {
			t.Errorf("process %d is left: %s", pid, command)
		}
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// netLinger is what hull-net may take to end by itself after the last container, with time to spare on a busy machine.
const netLinger = 10 * time.Second

// endNet waits until hull-net has ended, and fails the test for what it leaves: a socket, a namespace, a container that is
// attached, files of its way out. Its log, which is small, stays for the next.
func (s *Sandbox) endNet(t testing.TB) {
	t.Helper()
	dirs, _ := filepath.Glob(filepath.Join(s.Dir, "run/hull/*/net"))
	for _, dir := range dirs {
		var left []string
		for deadline := time.Now().Add(netLinger); ; time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // polls, until a deadline
			left = nil
			for _, pattern := range []string{"sock", "pid", "ns", "a/*", "uplink", ".*"} {
				found, _ := filepath.Glob(filepath.Join(dir, pattern))
				left = append(left, found...)
			}
			if len(left) == 0 {
				break
			}
			if time.Now().After(deadline) {
				text, _ := os.ReadFile(filepath.Join(dir, "log"))
				t.Errorf("hull-net has left %s; it said: %s", strings.Join(left, ", "), text)
				break
			}
		}
	}
}

// endPause ends the process that holds the user's namespaces, which lives as long as the login does.
func (s *Sandbox) endPause() {
	if text, err := os.ReadFile(filepath.Join(s.Dir, "run/libpod/tmp/pause.pid")); err == nil { // podman's
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	f, err := os.OpenFile(filepath.Join(s.Dir, "run/hull/pause.lock"), os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock) == nil && lock.Type != unix.F_UNLCK && lock.Pid > 1 {
		_ = unix.Kill(int(lock.Pid), unix.SIGTERM)
	}
}

// Processes are the processes that have to do with the sandbox, by pid with their command lines: they are known by their
// arguments, environment, folder or open files. What runs inside a container is not among them.
func (s *Sandbox) Processes() map[int]string {
	found := map[int]string{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		command, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		text := string(command)
		environ, _ := os.ReadFile(filepath.Join(proc, "environ"))
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		about := []string{text, string(environ), cwd}
		files, _ := os.ReadDir(filepath.Join(proc, "fd"))
		for _, f := range files {
			target, _ := os.Readlink(filepath.Join(proc, "fd", f.Name()))
			about = append(about, target)
		}
		if strings.Contains(strings.Join(about, "\x00")+"\x00", s.Dir+"/") {
			found[pid] = strings.ReplaceAll(text, "\x00", " ")
		}
	}
	return found
}
