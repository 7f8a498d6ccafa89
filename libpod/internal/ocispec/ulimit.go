package ocispec

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// resources are the names of getrlimit(2).
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// ParseUlimit reads NAME=SOFT[:HARD]; -1 is no limit (podman-run(1) --ulimit).
func ParseUlimit(text string) (l specs.POSIXRlimit, err error) {
	name, value, ok := strings.Cut(text, "=")
	key := strings.TrimPrefix(strings.ToLower(name), "rlimit_")
	if _, known := resources[key]; !known {
		return l, errs.Invalid("ulimit %q: there is no limit %q%s", text, name, errs.DidYouMean(key, slices.Sorted(maps.Keys(resources))))
	}
	soft, hard, two := strings.Cut(value, ":")
	if !two {
		hard = soft
	}
	l.Type = "RLIMIT_" + strings.ToUpper(key)
	if !ok || !parseLimit(soft, &l.Soft) || !parseLimit(hard, &l.Hard) {
		return l, errs.Invalid("ulimit %q is not NAME=SOFT[:HARD] with numbers, or -1 for no limit", text)
	}
	if l.Soft > l.Hard {
		return l, errs.Invalid("ulimit %q: the soft limit is over the hard one", text)
	}
	return l, nil
}

func parseLimit(text string, out *uint64) bool {
	if text == "-1" || text == "unlimited" {
		*out = unix.RLIM_INFINITY
		return true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	*out = n
	return err == nil
}

// hostLimit is the limit that podman gives by default: 1048576 for root, else as much as this process may have.
func hostLimit(name string, rootless bool) specs.POSIXRlimit {
	const most = 1048576
	l := specs.POSIXRlimit{Type: name, Soft: most, Hard: most}
	var own unix.Rlimit
	err := unix.Getrlimit(resources[strings.ToLower(strings.TrimPrefix(name, "RLIMIT_"))], &own)
	if err == nil && (rootless || own.Max < most) {
		l.Hard = min(own.Max, most)
		l.Soft = l.Hard
	}
	return l
}

func mapKeys(m map[string]specs.POSIXRlimit) iter.Seq[string] { return maps.Keys(m) }
