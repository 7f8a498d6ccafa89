package registry

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/failpoint"
	"hull.dev/hull/pkg/transfer/toggle"
)

// landlockVariable is the environment variable that, as "off", leaves jobs the files that they do not need.
const landlockVariable = "HULL_LANDLOCK"

// reach is which files a job may read, and which it may also write: a path stands for all that lies below it. One that is
// not there is left out. tmp, unless it is "", becomes the folder for temporary files, of the libraries too.
type reach struct {
	read, write []string
	tmp         string
	store       string // the graph root, which is in write where the job may reach it
}

// machine is what every job reads: the programs and libraries that may unpack a layer, what the kernel tells, certificates,
// and how names are looked up. /etc is all of it, because resolv.conf is replaced while jobs run.
var machine = []string{
	"/bin", "/etc", "/gnu/store", "/lib", "/lib32", "/lib64", "/nix/store", "/proc", "/run/current-system", "/sbin", "/sys", "/usr",
	"/var/lib/ca-certificates", "/dev/random", "/dev/urandom", "/dev/zero",
}

// led are the files of /etc that are links into folders elsewhere on some machines.
var led = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/etc/pki", "/etc/containers", "/etc/docker"}

// confine takes from this process and its children, for good, every file that is not in r, also for root, and with the
// files all mounts (landlock(7)); signals to other processes, abstract sockets and listening on TCP ports go too. Without
// Landlock in the kernel, or with one that forbids every rename between folders, it takes nothing.
func confine(r reach) error {
	if on, err := toggle.On(landlockVariable); !on {
		return err
	}
	if err := searchOnlyMachine(); err != nil {
		return err
	}
	if r.tmp != "" {
		if err := os.Setenv("TMPDIR", r.tmp); err != nil {
			return err
		}
	}
	all := landlock.V5.HandledAccessFS
	c := landlock.Config{HandledAccessFS: all, HandledAccessNet: ll.AccessNetBindTCP, Scoped: ll.ScopeAbstractUnixSocket}
	if mended(signalErratum) {
		c.Scoped |= ll.ScopeSignal
	}
	rules := []landlock.Rule{landlock.RWFiles("/dev/null"), landlock.ROFiles("/proc/self/exe")}
	for _, path := range slices.Concat(machine, untar(), r.read) {
		rules = append(rules, rule(path, landlock.ROFiles, landlock.RODirs)...)
	}
	for _, link := range led {
		if path, err := filepath.EvalSymlinks(link); err == nil && !within(path, machine) {
			rules = append(rules, rule(filepath.Dir(path), landlock.ROFiles, landlock.RODirs)...)
		}
	}
	for _, path := range slices.Concat(failpoint.Files(), r.write) {
		rules = append(rules, rule(path, landlock.RWFiles, func(paths ...string) landlock.FSRule {
			return landlock.RWDirs(paths...).WithRefer()
		})...)
	}
	return c.BestEffort().Restrict(rules...)
}

// untar is the program that becomes of this one to unpack a layer (pkg/transfer/unpacker).
func untar() []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{filepath.Join(filepath.Dir(exe), "hull-untar")}
}

// explain says of an error about a file that is not in r who keeps it from the job, and how it is had.
func (r *reach) explain(err error) error {
	failed, ok := errors.AsType[*fs.PathError](err)
	if !ok || !errors.Is(failed.Err, unix.EACCES) || os.Getenv(landlockVariable) == "off" {
		return err
	}
	path := failed.Path
	if target, err := filepath.EvalSymlinks(path); err == nil { // which Landlock leaves to everybody
		path = target
	}
	if within(path, slices.Concat(machine, r.read, r.write)) {
		return err
	}
	return errs.WithHint(err, "%s=off lets it reach files that neither the command nor the configuration names", landlockVariable)
}

// rule is the one for a file or for a folder, whichever the path is, or none. What goes away in this moment is no error.
func rule(path string, file, folder func(...string) landlock.FSRule) []landlock.Rule {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		return []landlock.Rule{folder(path).IgnoreIfMissing()}
	}
	return []landlock.Rule{file(path).IgnoreIfMissing()}
}

// searchOnlyMachine takes from $PATH the folders whose programs a confined job cannot start: the storage library looks for
// unpigz and its like there, and does without when it finds none.
func searchOnlyMachine() error {
	own := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		path, err := filepath.EvalSymlinks(dir)
		return err != nil || !within(path, machine)
	})
	if err := os.Setenv("PATH", strings.Join(own, string(filepath.ListSeparator))); err != nil {
		return err
	}
	for _, name := range []string{"igzip", "pigz", "unpigz", "zstd"} { // a program there that is a link to elsewhere
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if target, err := filepath.EvalSymlinks(path); err != nil || !within(target, machine) {
			return os.Setenv("PATH", "")
		}
	}
	return nil
}

// within reports whether a clean path is one of the folders or lies below one.
func within(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(dir string) bool { return dir != "" && (path == dir || strings.HasPrefix(path, dir+"/")) })
}

// signalErratum is the kernel's mistake of refusing signals between threads of one process, which Go sends to itself.
const signalErratum = 2

// mended reports whether the kernel says that it has not got a mistake of Landlock's (landlock_create_ruleset(2),
// LANDLOCK_CREATE_RULESET_ERRATA).
func mended(erratum int) bool {
	list, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	return errno == 0 && list&(1<<(erratum-1)) != 0
}
