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
