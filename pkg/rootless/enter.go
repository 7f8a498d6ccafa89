package rootless

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/lockfile"
)

// Enter makes sure that the command runs in the user's namespaces: it returns at once where that is so or where the user
// is root, else it makes the pause process if there is none and executes the program anew, and does not return. warn is
// called with one line when the user has no subordinate ids.
func Enter(ctx context.Context, warn func(string)) error {
	if Entered() {
		return adopt()
	}
	if os.Geteuid() == 0 {
		return nil
	}
	if os.Getenv("_HULL_ENTER") != "" {
		return errors.Join(errors.New("the pause process was made and could not be joined"), joinError())
	}
	if err := joinError(); err != nil {
		return err
	}
	if err := makePause(ctx, warn); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return os.NewSyscallError("execve "+self, unix.Exec(self, os.Args, append(os.Environ(), "_HULL_ENTER=1")))
}

// adopt gives Go's environment, and so our children's, what the constructor put into C's alone; the storage library and a
// hull that the monitor starts read it.
func adopt() error {
	_ = os.Unsetenv("_HULL_ENTER")
	return errors.Join(
		os.Setenv("_CONTAINERS_USERNS_CONFIGURED", "done"),
		os.Setenv("_CONTAINERS_ROOTLESS_UID", strconv.Itoa(UID())),
		os.Setenv("_CONTAINERS_ROOTLESS_GID", strconv.Itoa(GID())),
	)
}

func makePause(ctx context.Context, warn func(string)) error {
	dir, err := makeRuntimeDir()
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	lock, err := lockfile.Dir(dir).Lock(wait, "create.lock")
	if err != nil {
		return err
	}
	defer lock.Unlock()
	file, err := os.OpenFile(filepath.Join(dir, "pause.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	held := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &held); err != nil {
		return os.NewSyscallError("fcntl F_GETLK", err)
	}
	if held.Type != unix.F_UNLCK {
		return nil // another first command was faster
	}
	return startPause(ctx, file, warn)
}

// startPause starts this program as the pause process and maps its ids; see the package comment.
func startPause(ctx context.Context, lock *os.File, warn func(string)) error {
	goR, goW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer goR.Close()
	defer goW.Close()
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer readyR.Close()
	defer readyW.Close()
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // it outlives us
	cmd.Args = []string{"hull-pause"}
	cmd.Env = []string{"_HULL_PAUSE=1"}
	cmd.ExtraFiles = []*os.File{goR, lock, readyW}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = readyW.Close()
	unshared := make([]byte, 1)
	if _, err = readyR.Read(unshared); err == nil && unshared[0] != 0 {
		err = explainClone(syscall.Errno(unshared[0]))
	}
	if err == nil {
		err = mapIDs(ctx, cmd.Process.Pid, warn)
	}
	if err == nil {
		_, err = goW.Write([]byte("1"))
	}
	if err == nil {
		if n, _ := readyR.Read(make([]byte, 1)); n == 1 {
			return cmd.Process.Release()
		}
	}
	_ = cmd.Process.Kill()
	ended := cmd.Wait()
	if err != nil {
		return err
	}
	return fmt.Errorf("start the pause process: %w", ended)
}

// explainClone names the switch that turns user namespaces off, when one does.
func explainClone(err error) error {
	err = fmt.Errorf("make a user namespace: %w", err)
	for name, off := range map[string]string{
		"user/max_user_namespaces":                     "0",
		"kernel/unprivileged_userns_clone":             "0",
		"kernel/apparmor_restrict_unprivileged_userns": "1",
	} {
		if v, readErr := os.ReadFile("/proc/sys/" + name); readErr == nil && strings.TrimSpace(string(v)) == off {
			key := strings.ReplaceAll(name, "/", ".")
			want := map[string]string{"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": "1"}[key]
			if want == "" {
				want = "0"
			}
			return errs.WithHint(fmt.Errorf("%w: sysctl %s is %s", err, key, off), "as root: sysctl -w %s=%s", key, want)
		}
	}
	return err
}

// mapIDs maps the user to root of the new namespace and the subordinate ids behind it, or the user alone where there
// are none (newuidmap(1), subuid(5)).
func mapIDs(ctx context.Context, pid int, warn func(string)) error {
	uid, gid := os.Getuid(), os.Getgid()
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	uids, gids := Ranges("/etc/subuid", name, uid), Ranges("/etc/subgid", name, uid)
	newuidmap, uidErr := exec.LookPath("newuidmap")
	newgidmap, gidErr := exec.LookPath("newgidmap")
	switch {
	case len(uids) == 0 || len(gids) == 0:
		warn(fmt.Sprintf("no subordinate ids for user %s: only one user id is there in containers; "+
			"as root, add the line %s:100000:65536 to /etc/subuid and /etc/subgid; then: hull system migrate", name, name))
		return mapSelf(pid, uid, gid)
	case uidErr != nil || gidErr != nil:
		warn("newuidmap is not installed: only one user id is there in containers; as root: apt-get install uidmap; then: hull system migrate")
		return mapSelf(pid, uid, gid)
	}
	if err := runMap(ctx, newuidmap, pid, uid, uids); err != nil {
		return err
	}
	return runMap(ctx, newgidmap, pid, gid, gids)
}

func runMap(ctx context.Context, tool string, pid, id int, ranges []Range) error {
	args := []string{strconv.Itoa(pid), "0", strconv.Itoa(id), "1"}
	next := 1
	for _, r := range ranges {
		args = append(args, strconv.Itoa(next), strconv.Itoa(r.Start), strconv.Itoa(r.Count))
		next += r.Count
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		return errs.WithHint(err, "newuidmap and newgidmap need their set-user-id bit or file capabilities, and the ranges of /etc/subuid and /etc/subgid")
	}
	return nil
}

// mapSelf maps one id alone, which needs no help.
func mapSelf(pid, uid, gid int) error {
	proc := "/proc/" + strconv.Itoa(pid)
	for _, f := range []struct{ name, text string }{
		{"setgroups", "deny"},
		{"uid_map", "0 " + strconv.Itoa(uid) + " 1"},
		{"gid_map", "0 " + strconv.Itoa(gid) + " 1"},
	} {
		if err := writeProc(filepath.Join(proc, f.name), f.text); err != nil {
			return fmt.Errorf("map the user's own id: %w", err)
		}
	}
	return nil
}

func writeProc(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
