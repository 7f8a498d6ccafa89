package ocispec

import (
	"fmt"
	"os"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/pkg/errs"
)

// Unconfined is what Filter returns for no filter at all.
const Unconfined = "unconfined"

// Filter tells where the filter of system calls of a container comes from: Unconfined, the path of a profile, or "" for the built-in one.
func Filter(in *Input) (string, error) {
	o, err := ParseSecurityOpts(in.Config.Options.SecurityOpts)
	switch {
	case err != nil:
		return "", err
	case o.Seccomp != "":
		return o.Seccomp, nil
	case in.Config.Options.Privileged:
		return Unconfined, nil
	}
	return in.Seccomp, nil
}

// SetFilter puts a profile, from what Filter returned, into a spec that Make has made.
func SetFilter(s *specs.Spec, from string) (err error) {
	switch from {
	case Unconfined:
		return nil
	case "":
		s.Linux.Seccomp, err = builtIn(s)
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return errs.Invalid("seccomp profile: %v", err)
	}
	if s.Linux.Seccomp, err = seccomp.LoadProfile(string(data), s); err != nil {
		return errs.Invalid("seccomp profile %q: %v", from, err)
	}
	return nil
}

// CheckSeccomp reads a profile so that a wrong one is told at create.
func CheckSeccomp(path string) error {
	if path == "" || path == Unconfined {
		return nil
	}
	data, err := os.ReadFile(path)
	if err == nil {
		_, err = seccomp.LoadProfile(string(data), &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	}
	if err != nil {
		return fmt.Errorf("seccomp profile %q: %w", path, err)
	}
	return nil
}

// nested are the calls that podman's profile lets every container make and docker's only those with a capability: what a container in
// the container needs, and the kernel grants in a user namespace of its own alone, and the rest of what podman allows.
var nested = []string{
	"clone", "clone3", "fsconfig", "fsmount", "fsopen", "fspick", "get_mempolicy", "keyctl", "mbind", "mount", "mount_setattr", "move_mount",
	"open_tree", "pidfd_getfd", "pivot_root", "reboot", "set_mempolicy", "setns", "syslog", "umount", "umount2", "unshare",
}

// builtIn is podman's default, made of docker's, which is kept up with the kernel's new calls.
func builtIn(s *specs.Spec) (*specs.LinuxSeccomp, error) {
	p, err := seccomp.GetDefaultProfile(s)
	if err != nil {
		return nil, err
	}
	p.Syscalls = slices.DeleteFunc(p.Syscalls, func(c specs.LinuxSyscall) bool {
		return len(c.Names) == 1 && slices.Contains(nested, c.Names[0]) // clone by its flags, clone3 with ENOSYS
	})
	p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: nested, Action: specs.ActAllow})
	return p, nil
}
