package netns

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// CreateOwned makes a user namespace with these ids, mounted at userPath, and a network namespace that it owns, mounted at
// path: root in the one may configure the other (network_namespaces(7)), which a namespace of the engine's own refuses.
//
// Only a process of its own can enter a new user namespace (user_namespaces(7)), so a child is made in both and stopped
// by ptrace(2) at its exec, before it runs anything; it is killed when the mounts are there.
func CreateOwned(path, userPath string, uids, gids []syscall.SysProcIDMap) error {
	for _, file := range []string{path, userPath} {
		if err := mountpoint(file); err != nil {
			return err
		}
	}
	return thread.Do(func() error { return createOwned(path, userPath, uids, gids) }) // it traces the child and enters its network namespace
}

func createOwned(path, userPath string, uids, gids []syscall.SysProcIDMap) error {
	child, err := os.StartProcess("/proc/self/exe", []string{"hull"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: uids, GidMappings: gids, GidMappingsEnableSetgroups: true,
		Ptrace: true, Pdeathsig: unix.SIGKILL,
	}})
	if err != nil {
		return fmt.Errorf("make user namespace: %w", err)
	}
	defer func() {
		_ = child.Kill()
		_, _ = child.Wait()
	}()
	ns := "/proc/" + strconv.Itoa(child.Pid) + "/ns/"
	for kind, target := range map[string]string{"user": userPath, "net": path} {
		if err := unix.Mount(ns+kind, target, "", unix.MS_BIND, ""); err != nil {
			return os.NewSyscallError("mount "+kind+" namespace", err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("enter network namespace", err)
	}
	return loopbackUp()
}
