package ctrflags

import (
	"slices"
	"strings"

	"hull.dev/hull/pkg/errs"
)

// propagations are how mounts spread (mount_namespaces(7)).
var propagations = []string{"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"}

// alternatives are options of a mount of which there can be one.
var alternatives = [][]string{
	{"rw", "ro"},
	{"z", "Z"},
	{"copy", "nocopy"},
	{"tmpcopyup", "notmpcopyup"},
	{"exec", "noexec"},
	{"suid", "nosuid"},
	{"dev", "nodev"},
	{"bind", "rbind"},
	propagations,
}

// checkAlternatives refuses two of a kind; flag and text say where they stand.
func checkAlternatives(options []string, flag, text string) error {
	for _, group := range alternatives {
		first := ""
		for _, option := range options {
			switch {
			case !slices.Contains(group, option):
			case first != "":
				return errs.Invalid("%s %q: %q and %q do not go together", flag, text, first, option)
			default:
				first = option
			}
		}
	}
	return nil
}

// mountTypes are the types of --mount.
var mountTypes = []string{"bind", "volume", "tmpfs", "devpts"}

// typesOf are the types of --mount that have an option; one that is not here is every type's.
func typesOf(key string) []string {
	switch key {
	case "source", "src", "idmap":
		return []string{"bind", "volume"}
	case "bind-propagation", "bind-nonrecursive", "relabel", "z", "Z":
		return []string{"bind"}
	case "copy", "nocopy":
		return []string{"volume"}
	case "tmpfs-size", "tmpfs-mode", "tmpcopyup", "notmpcopyup":
		return []string{"tmpfs"}
	case "ro", "readonly", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "consistency", "U", "chown":
		return []string{"bind", "volume", "tmpfs"}
	}
	if slices.Contains(propagations, key) {
		return []string{"bind"}
	}
	return mountTypes
}

// checkMountType refuses a type that is not there, and options of --mount that its type does not have.
func checkMountType(kind, text string) error {
	switch {
	case slices.Contains([]string{"image", "ramfs", "glob", "artifact"}, kind):
		return errs.NotBuilt("--mount type=" + kind)
	case !slices.Contains(mountTypes, kind):
		return errs.Invalid("--mount type=%s%s: bind, volume, tmpfs and devpts are there", kind, errs.DidYouMean(kind, mountTypes))
	}
	for field := range strings.SplitSeq(text, ",") {
		key, _, _ := strings.Cut(field, "=")
		if types := typesOf(key); !slices.Contains(types, kind) {
			return errs.WithHint(errs.Invalid("--mount %q: %s is not supported with type=%s", text, key, kind),
				"leave it out, or say type=%s", strings.Join(types, " or type="))
		}
	}
	return nil
}

// tmpfsWords and tmpfsKeys are the options of --tmpfs: those of every mount, and KEY=VALUE of tmpfs(5).
var (
	tmpfsWords = append([]string{
		"rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "tmpcopyup", "notmpcopyup", "atime", "noatime", "relatime",
		"norelatime", "strictatime", "nostrictatime", "diratime", "nodiratime", "sync", "async", "U", "noswap",
	}, propagations...)
	tmpfsKeys = []string{"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"}
)

func checkTmpfsOption(option, text string) error {
	key, value, valued := strings.Cut(option, "=")
	if valued && value != "" && slices.Contains(tmpfsKeys, key) || !valued && slices.Contains(tmpfsWords, option) {
		return nil
	}
	known := append(slices.Clone(tmpfsWords), tmpfsKeys...)
	return errs.Invalid("--tmpfs %q: there is no option %q%s", text, option, errs.DidYouMean(key, known))
}
