// Package env makes what hull's suites run in: throw-away users, a home and a runtime folder for each run, a private mount
// namespace with one cgroup hierarchy, a network namespace that stands for the host (lan.go), copies of the built programs that those users may execute, and a busybox image.
//
// A suite runs as root, calls Open, and starts commands as an identity with Suite.Command; mostly that command is the
// suite's own test binary again, so that what it makes belongs to the user and what it may do is what the user may do:
//
//	go test (root)                                        bash in a new mount namespace          the test binary again
//	  Open: users, base folder, bin/, busybox.tar
//	  Command(profile, test binary) ------------------->  cgroup2 alone, / shared, /dev/shm,
//	                                                      devices; setpriv to the user  ------->  FromEnvironment() is set
//
// Nothing of the machine's own view changes: mounts are made in the namespace and go with its last process. What stays
// behind are the two users, which cost a line in /etc/passwd each and spare each run the seconds that useradd takes.
//
// ORACLE=podman puts a program named hull first in PATH that is podman.
package env

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The throw-away users: one with 65536 subordinate ids, one with none.
const (
	userName   = "hulltest"
	singleName = "hullsingle"
)

// Profile is who runs hull, and on which OCI runtime.
type Profile struct {
	Identity string // "user", "root" or "single"
	Runtime  string // "crun" or "runc"
}

// String is the profile's name in test output: "user-crun".
func (p Profile) String() string { return p.Identity + "-" + p.Runtime }

// user is the name of the profile's user.
func (p Profile) user() string {
	switch p.Identity {
	case "root":
		return "root"
	case "single":
		return singleName
	}
	return userName
}

// Oracle reports whether podman stands in hull's place.
func Oracle() bool { return os.Getenv("ORACLE") == "podman" }

// Variables that Command sets for what it starts.
const (
	baseVariable    = "HULL_TEST_BASE"
	profileVariable = "HULL_TEST_PROFILE"
)

// FromEnvironment is the base folder and the profile that Command started this process with; ok is false in a process
// that Command did not start.
func FromEnvironment() (base string, p Profile, ok bool) {
	identity, runtime, ok := strings.Cut(os.Getenv(profileVariable), "-")
	return os.Getenv(baseVariable), Profile{Identity: identity, Runtime: runtime}, ok
}

// Suite is a run of a test suite: its base folder and what is in there.
type Suite struct {
	// Base is the run's folder, which every identity may enter and none but root may write to.
	Base string
	// Repository is the top of the checkout.
	Repository string

	lan *lan
}

// Busybox is the root file system archive in the base folder: for who has a single id, one where all is root's.
func Busybox(base string, p Profile) string {
	if p.Identity == "single" {
		return filepath.Join(base, "busybox-single.tar")
	}
	return filepath.Join(base, "busybox.tar")
}

// Peers is a static program in the base folder: "peers PORT" tells its clients their address (test/env/peers).
func Peers(base string) string { return filepath.Join(base, "peers") }

// Open makes the users and the base folder, which is removed when the test ends. It skips the test when it is not root's.
func Open(t testing.TB) *Suite {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "needs root: it makes users and mounts in a namespace of its own")
	}
	s := &Suite{Repository: repository(t)}
	base, err := os.MkdirTemp("/tmp", "ht") //nolint:usetesting // short, for the paths of sockets, and kept with KEEP
	if err != nil {
		t.Fatal(err)
	}
	s.Base = base
	t.Cleanup(func() {
		s.reportSkips(t)
		if os.Getenv("KEEP") != "" {
			t.Logf("kept %s", base)
			return
		}
		if err := os.RemoveAll(base); err != nil {
			t.Errorf("remove what the run left: %v", err)
		}
	})
	must(t, os.Chmod(base, 0o711))
	makeUser(t, userName, true)
	makeUser(t, singleName, false)
	s.copyPrograms(t)
	makeBusybox(t, base)
	s.buildPeers(t)
	s.lan = newLan(t, base)
	must(t, os.WriteFile(skipFile(base), nil, 0o666))
	must(t, os.Chmod(skipFile(base), 0o666))
	must(t, os.Mkdir(filepath.Join(base, "cpu"), 0o755))
	for name, minor := range map[string]uint64{"fuse": unix.Mkdev(10, 229), "tun": unix.Mkdev(10, 200)} {
		path := filepath.Join(base, name)
		must(t, unix.Mknod(path, unix.S_IFCHR|0o666, int(minor)))
		must(t, os.Chmod(path, 0o666))
	}
	return s
}

func (s *Suite) copyPrograms(t testing.TB) {
	t.Helper()
	bin := filepath.Join(s.Base, "bin")
	must(t, os.Mkdir(bin, 0o755))
	if Oracle() {
		must(t, os.WriteFile(filepath.Join(bin, "hull"), []byte("#!/bin/sh\nexec podman \"$@\"\n"), 0o755))
		return
	}
	programs, _ := filepath.Glob(filepath.Join(s.Repository, "bin", "hull*"))
	if len(programs) == 0 {
		t.Fatal("bin/ has no programs: make build")
	}
	for _, program := range programs {
		to := filepath.Join(bin, filepath.Base(program))
		if name := filepath.Base(program); name == "hull" || name == "hull-conmon" { // as make install does it
			run(t, filepath.Join(s.Repository, "contrib/build/whole.sh"), program, to)
			continue
		}
		run(t, "install", "-m", "755", program, to)
	}
}

func (s *Suite) buildPeers(t testing.TB) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", Peers(s.Base), "./test/env/peers")
	cmd.Dir, cmd.Env = s.Repository, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build peers: %v\n%s", err, out)
	}
}

// Copy puts a file or folder of the checkout into the base folder, where every identity may read it, and returns its path.
func (s *Suite) Copy(t testing.TB, path string) string {
	t.Helper()
	run(t, "cp", "-r", path, s.Base)
	target := filepath.Join(s.Base, filepath.Base(path))
	run(t, "chmod", "-R", "a+rX", target)
	return target
}

// enter makes the view in a new mount namespace and becomes the user. $1 is the base folder, $2 the user, $3 the folder
// to work in, the rest the command.
const enter = `
base=$1 user=$2 dir=$3; shift 3
mount --make-rshared /
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
	umount -l /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	# /proc/self/cgroup tells of version 1 all the same, and so each program of Go's looks for the mount of its controller cpu, in
	# all of mountinfo if there is none: with a hundred containers that is a tenth of a run, and so it is on no machine but this view.
	v1=$(sed -nE 's/^[0-9]+:(([^:]*,)?cpu(,[^:]*)?):.*/\1/p' /proc/self/cgroup)
	[ -z "$v1" ] || mount -t cgroup -o "$v1" cgroup "$base/cpu"
fi
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for pair in fuse:/dev/fuse tun:/dev/net/tun; do
	[ -e "${pair#*:}" ] && mount --bind "$base/${pair%%:*}" "${pair#*:}"
done
cd "$dir"
[ "$user" = root ] && exec "$@"
exec setpriv --reuid "$user" --regid "$user" --init-groups "$@"
`

// Command is a command as the profile's identity, in a namespace of its own and with a clean environment. It works in a
// folder of the profile's, which is its user's alone and is in the environment as HOME.
func (s *Suite) Command(ctx context.Context, t testing.TB, p Profile, argv ...string) *exec.Cmd {
	t.Helper()
	dir := filepath.Join(s.Base, p.Identity[:1]+p.Runtime[:1])
	run(t, "install", "-d", "-m", "700", "-o", p.user(), "-g", p.user(), dir)
	host := fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), s.lan.host.Fd())
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{host, "bash", "-euc", enter, "enter", s.Base, p.user(), dir}, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.Env = []string{
		"PATH=" + filepath.Join(s.Base, "bin") + ":/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
		"HOME=" + dir, "USER=" + p.user(), "TERM=xterm", "LC_ALL=C.UTF-8", "ORACLE=" + os.Getenv("ORACLE"),
		baseVariable + "=" + s.Base, profileVariable + "=" + p.String(),
	}
	if cover := os.Getenv("GOCOVERDIR"); cover != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+cover)
	}
	return cmd
}

// repository is the top of the checkout that the test's folder lies in.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test's folder")
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t testing.TB, argv ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}
