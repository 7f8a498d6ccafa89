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

// guard watches what the store's child processes unpack until stop is called, and kills one that unpacks more than may
// come of the bytes that were fetched: the store then removes the layer. The error of stop is why, or nil.
func (j *job) guard(what string) (stop func() error) {
	done, ended := make(chan struct{}), make(chan error, 1)
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
			for pid, bytes := range children() {
				err := unpacked(what, bytes, packed)
				if err == nil && j.stage.free() <= 0 {
					err = noSpace(j.request.Source, "unpacks to")
				}
				if err != nil {
					failed = err
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
	}()
	return sync.OnceValue(func() error { close(done); return <-ended })
}

// children are the child processes of this one and how many bytes each has read (proc_pid_io(5)): the store unpacks in
// one for each layer, which gets the tar at its standard input.
func children() map[int]int64 {
	found := map[int]int64{}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			counters, _ := os.ReadFile("/proc/" + word + "/io")
			var n int64
			if _, err := fmt.Sscanf(string(counters), "rchar: %d", &n); err == nil {
				found[pid] = n
			}
		}
	}
	return found
}
