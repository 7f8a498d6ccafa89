package containers

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/libpod/internal/ocispec"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/rootless"
)

// person is a line of passwd(5) that hull writes.
type person struct {
	name, about, home string
	uid, gid          int
}

// writeUser adds to the container's /etc/passwd and /etc/group whom the image does not have: the user that the container runs as, its
// group, and with keep-id who started it (podman-run(1) --passwd). home is that of the container's user when it was added, else "".
func writeUser(c *define.ContainerConfig, root string, put putter) (home string, err error) {
	name, groupName, _ := strings.Cut(c.User, ":")
	uid, gid := number(name), number(groupName)
	own := c.Options.UserNS == "keep-id"
	if !c.Options.Passwd || (uid <= 0 && gid <= 0 && !own && len(c.Options.HostUsers) == 0) {
		return "", nil
	}
	who, err := ocispec.LookupUser(root, c.User)
	if err != nil {
		return "", err
	}
	var people []person
	passwd, err := ocispec.ReadDatabase(root, "/etc/passwd")
	if err != nil {
		return "", err
	}
	groups, err := ocispec.ReadDatabase(root, "/etc/group")
	if err != nil {
		return "", err
	}
	changed := len(groups)
	if starter, err := user.LookupUid(rootless.UID()); own && err == nil && !hasID(passwd, starter.Uid) {
		people = append(people, person{starter.Name, starter.Gecos, homeOf(c, starter.Home), starter.Uid, rootless.GID()})
		if group, err := user.LookupGid(rootless.GID()); err == nil && !hasID(groups, group.Gid) {
			groups = appended(groups, groupEntry(c, group.Name, group.Gid, starter.Name))
		}
	}
	isStarter := len(people) > 0 && people[0].uid == who.Uid
	if uid > 0 && !isStarter && !hasID(passwd, uid) {
		people = append(people, person{name, "container user", c.Workdir, uid, who.Gid})
	}
	hosts, err := hostUsers(c, passwd)
	if err != nil {
		return "", err
	}
	people = append(people, hosts...)
	if gid > 0 && !hasID(groups, gid) {
		groups = appended(groups, groupEntry(c, groupName, gid, name))
	}
	for _, p := range people {
		entry := passwdEntry(c, p)
		passwd = appended(passwd, entry)
		if fields := strings.Split(entry, ":"); p.uid == who.Uid && len(fields) > 5 {
			home = fields[5]
		}
	}
	if len(people) > 0 {
		if err := put("/etc/passwd", string(passwd), 0o644); err != nil {
			return "", err
		}
	}
	if len(groups) == changed {
		return home, nil
	}
	return home, put("/etc/group", string(groups), 0o644)
}

// hostUsers are those of the host that the container is to know (podman-run(1) --hostuser), but for names that it has.
func hostUsers(c *define.ContainerConfig, passwd []byte) ([]person, error) {
	var people []person
	for _, name := range c.Options.HostUsers {
		u, err := hostUser(name)
		if err != nil {
			return nil, err
		}
		if !hasName(passwd, u.Name) {
			people = append(people, person{u.Name, u.Gecos, homeOf(c, u.Home), u.Uid, u.Gid})
		}
	}
	return people, nil
}

// hostUser finds a user of the host by name or id.
func hostUser(name string) (user.User, error) {
	u, err := user.LookupUser(name)
	if id := number(name); err != nil && id >= 0 {
		u, err = user.LookupUid(id)
	}
	if err != nil {
		return u, errs.Invalid("--hostuser %q: the host has no such user in /etc/passwd", name)
	}
	return u, nil
}

// number is an id that is written as a number, else -1.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// homeOf is where the user who started a container is at home in it: there, when that folder or one above is mounted, else in the working
// directory.
func homeOf(c *define.ContainerConfig, home string) string {
	for dir := path.Clean(home); dir != "/" && dir != "."; dir = path.Dir(dir) {
		if slices.ContainsFunc(c.Options.Mounts, func(m define.Mount) bool { return path.Clean(m.Dest) == dir }) {
			return home
		}
	}
	return c.Workdir
}

// passwdEntry is --passwd-entry with what it stands for, or podman's own.
func passwdEntry(c *define.ContainerConfig, p person) string {
	entry := c.Options.PasswdEntry
	if entry == "" {
		entry = "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh"
	}
	return strings.NewReplacer("$USERNAME", p.name, "$UID", strconv.Itoa(p.uid), "$GID", strconv.Itoa(p.gid), "$NAME", p.about, "$HOME", p.home).Replace(entry)
}

// groupEntry is --group-entry with what it stands for, or podman's own.
func groupEntry(c *define.ContainerConfig, name string, gid int, member string) string {
	entry := c.Options.GroupEntry
	if entry == "" {
		entry = "$GROUPNAME:x:$GID:$USERLIST"
	}
	return strings.NewReplacer("$GROUPNAME", name, "$GID", strconv.Itoa(gid), "$USERLIST", member).Replace(entry)
}

func appended(file []byte, line string) []byte {
	if len(file) > 0 && !bytes.HasSuffix(file, []byte("\n")) {
		file = append(file, '\n')
	}
	return fmt.Appendf(file, "%s\n", line)
}

// hasID reports whether a line of a passwd(5) or group(5) file has this number.
func hasID(file []byte, id int) bool { return hasField(file, 2, strconv.Itoa(id)) }

// hasName reports whether a line of a passwd(5) or group(5) file has this name.
func hasName(file []byte, name string) bool { return hasField(file, 0, name) }

func hasField(file []byte, field int, want string) bool {
	for line := range bytes.Lines(file) {
		if fields := bytes.Split(line, []byte(":")); len(fields) > field && string(bytes.TrimSpace(fields[field])) == want {
			return true
		}
	}
	return false
}
