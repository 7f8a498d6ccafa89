// Package signals reads signals as users write them: 9, KILL, SIGKILL, kill, RTMIN+3 (signal(7)).
package signals

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

const (
	realtimeMin = 34 // glibc's SIGRTMIN
	realtimeMax = 64
)

// Parse returns the signal that text names, by number or name.
func Parse(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n >= 1 && n <= realtimeMax {
			return unix.Signal(n), nil
		}
		return 0, errs.Invalid("signal %q is not between 1 and %d", text, realtimeMax)
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if n := unix.SignalNum("SIG" + name); n != 0 {
		return n, nil
	}
	if n, ok := realtime(name); ok {
		return n, nil
	}
	return 0, errs.Invalid("there is no signal %q%s", text, errs.DidYouMean(name, names()))
}

// realtime reads RTMIN, RTMIN+n, RTMAX and RTMAX-n.
func realtime(name string) (unix.Signal, bool) {
	base := realtimeMin
	rest, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0, false
		}
		base = realtimeMax
	}
	if rest == "" {
		return unix.Signal(base), true
	}
	offset, err := strconv.Atoi(rest)
	n := base + offset
	return unix.Signal(n), err == nil && n >= realtimeMin && n <= realtimeMax
}

func names() []string {
	var list []string
	for n := unix.Signal(1); n < 32; n++ {
		list = append(list, strings.TrimPrefix(unix.SignalName(n), "SIG"))
	}
	slices.Sort(list)
	return list
}
