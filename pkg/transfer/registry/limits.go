package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
)

// Limits of what a layer may grow to when it is unpacked: gzip makes a gigabyte of a megabyte, zstd of thirty kilobytes.
// Below freely nobody minds; above, maxRatio is far from what data of use has. $HULL_MAX_UNPACKED takes the place of both.
const (
	freely   = 2 << 30 // bytes
	maxRatio = 100

	maxUnpackedVariable = "HULL_MAX_UNPACKED"
	watchInterval       = 200 * time.Millisecond
)

// allowed is how many bytes may come of so many packed ones.
func allowed(packed int64) (int64, error) {
	text := os.Getenv(maxUnpackedVariable)
	if text == "" {
		return max(freely, packed*maxRatio), nil
	}
	limit, err := units.RAMInBytes(text)
	if err != nil || limit <= 0 {
		return 0, errs.Invalid("%s=%q is not a size, like 50g", maxUnpackedVariable, text)
	}
	return limit, nil
}

// unpacked is an error unless so many bytes may come of so many packed ones.
func unpacked(what string, bytes, packed int64) error {
	limit, err := allowed(packed)
	if err != nil || bytes <= limit {
		return err
	}
	return errs.WithHint(
		errdefs.ErrResourceExhausted.WithMessage(fmt.Sprintf("%s unpacks to more than %s, which no image needs", what, units.HumanSize(float64(limit)))),
		"if it is meant to, %s=50g allows it", maxUnpackedVariable,
	)
}

// guard watches what this process writes, mostly to the store's child processes that unpack layers, until stop is called, and ends
// them when it is more than may come of the bytes that were fetched: the store then removes the layers. The error of stop
// is why, or nil.
func (j *job) guard(what string) (stop func() error) {
	done, ended := make(chan struct{}), make(chan error, 1)
	before := wrote()
	go func() {
		tick := time.NewTicker(watchInterval)
		defer tick.Stop()
		var failed error
		for {
			select {
			case <-done:
				ended <- failed
				return
			case <-tick.C:
			}
			packed := j.stage.packed.Load()
			if packed == 0 {
				continue // what comes from elsewhere is not counted
			}
			err := unpacked(what, wrote()-before, packed)
			if err == nil && j.stage.free() <= 0 {
				err = noSpace(j.request.Source, "unpacks to")
			}
			if err != nil {
				failed = err
				endChildren()
			}
		}
	}()
	return sync.OnceValue(func() error { close(done); return <-ended })
}

// wrote is how many bytes this process has written so far, to whatever it was: each byte of a tar that the store unpacks
// is written to a child of ours, or to a file where it is unpacked here, and what else a pull writes came in packed. What the children read each would be more
// exact, and is not for a process to know that is confined (confine.go): there each thread is confined by itself, and who
// was started by another thread is a stranger.
func wrote() int64 {
	counters, err := os.ReadFile("/proc/self/io") // proc_pid_io(5)
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(counters), "wchar: ")
	digits, _, _ := strings.Cut(after, "\n")
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// endChildren ends the child processes of this one. A confined process may signal strangers as little as it may look at
// them; but whose limits are used up is ended by the kernel: at its next write to a file, or after a second of work.
func endChildren() {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			_ = unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{}, nil)
			_ = unix.Prlimit(pid, unix.RLIMIT_CPU, &unix.Rlimit{}, nil)
		}
	}
}
