package ocispec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/safepath"
)

// maxPasswd is more than any /etc/passwd or /etc/group that is one; an image may hold anything there.
const maxPasswd = 16 << 20

// LookupUser finds spec ("", NAME, UID, NAME:GROUP, UID:GID) in the files of the image, as podman-run(1) --user.
func LookupUser(rootfs, spec string) (*user.ExecUser, error) {
	passwd, err := ReadDatabase(rootfs, "/etc/passwd")
	if err != nil {
		return nil, err
	}
	group, err := ReadDatabase(rootfs, "/etc/group")
	if err != nil {
		return nil, err
	}
	found, err := user.GetExecUser(spec, &user.ExecUser{Home: "/"}, bytes.NewReader(passwd), bytes.NewReader(group))
	if err != nil {
		return nil, errs.WithHint(errs.Invalid("user %q: %v", spec, err), "the image's /etc/passwd and /etc/group do not have it; a number always works")
	}
	for _, id := range append([]int{found.Uid, found.Gid}, found.Sgids...) {
		if id < 0 || id > math.MaxInt32 { // the library checks the numbers in spec, not those in the image's files
			return nil, errs.Invalid("user %q: the image gives it the id %d, ids are 0 to %d", spec, id, math.MaxInt32)
		}
	}
	return found, nil
}

// ReadDatabase reads /etc/passwd or /etc/group of an image; one that is not there is empty.
func ReadDatabase(rootfs, path string) ([]byte, error) {
	data, err := safepath.ReadFile(rootfs, path, maxPasswd)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the image's %s: %w", path, err)
	}
	return data, nil
}

func process(in *Input, s *specs.Spec) error {
	c, o := in.Config, &in.Config.Options
	who, err := LookupUser(in.Rootfs, c.User)
	if err != nil {
		return errs.WithExit(err, errs.ExitNotExecutable)
	}
	p := &specs.Process{
		Terminal: o.TTY,
		Args:     c.Command,
		Cwd:      c.Workdir,
		User:     ProcessUser(who),
		Env:      Environment(c.Env, cmp.Or(in.Home, who.Home), c.Hostname, o.TTY),
	}
	if c.IDMap != nil && c.IDMap.Keep {
		keepGroup(p, c.IDMap.GIDs)
	}
	if o.Init {
		p.Args = append([]string{initInside, "--"}, p.Args...)
	}
	if err := addGroups(in, s, p); err != nil {
		return err
	}
	if o.Umask != "" {
		mask, err := strconv.ParseUint(o.Umask, 8, 32)
		if err != nil || mask > 0o777 {
			return errs.Invalid("umask %q is not an octal number up to 0777", o.Umask)
		}
		m := uint32(mask)
		p.User.Umask = &m
	}
	if o.OOMScoreAdj != nil {
		p.OOMScoreAdj = o.OOMScoreAdj
	}
	s.Process = p
	return nil
}

// ProcessUser is a user of the image as the runtime takes it. The group of one who is not root is among the additional ones too: a
// program that changes its group would else be rid of it, and of what the group is denied (CVE-2022-2989).
func ProcessUser(who *user.ExecUser) specs.User {
	u := specs.User{UID: uint32(who.Uid), GID: uint32(who.Gid), AdditionalGids: groups(who.Sgids)}
	if (u.UID != 0 || u.GID != 0) && !slices.Contains(u.AdditionalGids, u.GID) {
		u.AdditionalGids = append(u.AdditionalGids, u.GID)
	}
	return u
}

// keepGroup puts the user's own group among the additional ones, whatever user of the image the process is: it may use what that
// group may use of the mounts.
func keepGroup(p *specs.Process, ids []define.IDRange) {
	own := slices.IndexFunc(ids, func(r define.IDRange) bool { return r.HostID == 0 })
	if own >= 0 && !slices.Contains(p.User.AdditionalGids, uint32(ids[own].ContainerID)) {
		p.User.AdditionalGids = append(p.User.AdditionalGids, uint32(ids[own].ContainerID))
	}
}

func groups(ids []int) []uint32 {
	out := make([]uint32, 0, len(ids))
	for _, id := range ids {
		out = append(out, uint32(id))
	}
	return out
}

// addGroups carries out --group-add; keep-groups is crun's alone.
func addGroups(in *Input, s *specs.Spec, p *specs.Process) error {
	add := in.Config.Options.GroupAdd
	if slices.Contains(add, "keep-groups") {
		if len(add) > 1 {
			return errs.Invalid(`--group-add keep-groups goes with no other group`)
		}
		s.Annotations["run.oci.keep_original_groups"] = "1"
		p.User.AdditionalGids = nil
		return nil
	}
	if len(add) == 0 {
		return nil
	}
	database, err := ReadDatabase(in.Rootfs, "/etc/group")
	if err != nil {
		return err
	}
	ids, err := user.GetAdditionalGroups(add, bytes.NewReader(database))
	if err != nil {
		return errs.Invalid("group %s: %v", strings.Join(add, ","), err)
	}
	for _, id := range groups(ids) {
		if !slices.Contains(p.User.AdditionalGids, id) {
			p.User.AdditionalGids = append(p.User.AdditionalGids, id)
		}
	}
	return nil
}

// Environment completes a container's environment by what podman sets where the user does not: TERM, HOME, HOSTNAME.
func Environment(env []string, home, hostname string, tty bool) []string {
	out := slices.Clone(env)
	set := func(key, value string) {
		if !slices.ContainsFunc(out, func(e string) bool { return strings.HasPrefix(e, key+"=") }) {
			out = append(out, key+"="+value)
		}
	}
	if tty {
		set("TERM", "xterm")
	}
	set("HOME", home)
	if hostname != "" {
		set("HOSTNAME", hostname)
	}
	return out
}

// rlimits are the configuration's, then the user's by name. Rootless, what nobody set is this process' own limit:
// no one can raise it anyway.
func rlimits(in *Input, s *specs.Spec) error {
	limits := map[string]specs.POSIXRlimit{}
	for _, list := range [][]string{in.Ulimits, in.Config.Options.Ulimits} {
		for _, text := range list {
			if text == "host" {
				limits = map[string]specs.POSIXRlimit{}
				continue
			}
			l, err := ParseUlimit(text)
			if err != nil {
				return err
			}
			limits[l.Type] = l
		}
	}
	if !slices.Contains(in.Config.Options.Ulimits, "host") {
		for _, name := range []string{"RLIMIT_NOFILE", "RLIMIT_NPROC"} {
			if _, ok := limits[name]; !ok {
				limits[name] = hostLimit(name, in.Rootless)
			}
		}
	}
	for _, name := range slices.Sorted(mapKeys(limits)) {
		s.Process.Rlimits = append(s.Process.Rlimits, limits[name])
	}
	return nil
}
