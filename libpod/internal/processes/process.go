// Package processes describes the processes of a container as podman-top(1) does, out of /proc of the engine's own pid
// namespace (proc(5)): no process has to be started, and the container need not have a ps.
package processes

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// userHZ is the unit of times in /proc: 100 ticks a second on every architecture that Linux has for Go.
const userHZ = 100

// process is what /proc says of one.
type process struct {
	hostPID, hostParent int
	pid, ppid, pgid     int    // in the container's pid namespace; a parent outside is 0
	uids, gids          [4]int // real, effective, saved, file system; as the engine's user namespace has them
	groups              []int
	comm, args          string
	state               string
	nice                int
	tty                 int           // device number
	cpu                 time.Duration // user and system
	age                 time.Duration
	started             time.Time
	vsz, rss            int64 // KiB
	caps                map[string]uint64
	seccomp             string
	label               string
}

// all returns the processes in the pid namespace of the process init.
func all(init int, now time.Time) ([]*process, error) {
	space, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(init), "ns/pid"))
	if err != nil {
		return nil, err
	}
	up, err := uptime()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []*process
	inside := map[int]int{} // by the host's number
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if other, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns/pid")); err != nil || other != space {
			continue // another's, or gone meanwhile
		}
		p, err := read(filepath.Join("/proc", e.Name()), up)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.hostPID, p.started = pid, now.Add(-p.age)
		inside[pid] = p.pid
		list = append(list, p)
	}
	for _, p := range list {
		p.ppid = inside[p.hostParent]
	}
	return list, nil
}

// errGone means that a process ended while it was read.
var errGone = errors.New("the process has ended")

func uptime() (time.Duration, error) {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	text, _, _ := strings.Cut(string(data), " ")
	seconds, err := strconv.ParseFloat(text, 64)
	return time.Duration(seconds * float64(time.Second)), err
}

func read(dir string, up time.Duration) (*process, error) {
	p := &process{caps: map[string]uint64{}, label: "?"}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return nil, gone(err)
	}
	if err := p.parseStat(string(stat), up); err != nil {
		return nil, fmt.Errorf("%s/stat: %w", dir, err)
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return nil, gone(err)
	}
	p.parseStatus(string(status))
	if args, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil {
		p.args = strings.TrimRight(string(bytes.ReplaceAll(args, []byte{0}, []byte{' '})), " ")
	}
	if p.args == "" {
		p.args = "[" + p.comm + "]" // of the kernel, or a zombie
	}
	if label, err := os.ReadFile(filepath.Join(dir, "attr/current")); err == nil {
		if text := strings.Trim(string(label), "\x00\n "); text != "" {
			p.label = text
		}
	}
	return p, nil
}

// gone is errGone for the error that reading a process gives that ends at this moment (ESRCH).
func gone(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok && strings.Contains(e.Err.Error(), "no such process") {
		return errGone
	}
	return err
}

// parseStat reads proc_pid_stat(5). The name may hold anything, also brackets and spaces, so the fields are counted from
// its last bracket on.
func (p *process) parseStat(text string, up time.Duration) error {
	first, last := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if first < 0 || last < first {
		return errors.New("no name in brackets")
	}
	p.comm = text[first+1 : last]
	f := strings.Fields(text[last+1:]) // f[0] is field 3
	if len(f) < 22 {
		return fmt.Errorf("%d fields behind the name", len(f))
	}
	p.state = f[0]
	n := make([]int64, len(f))
	for i := 1; i < 22; i++ {
		n[i], _ = strconv.ParseInt(f[i], 10, 64)
	}
	ticks := func(n int64) time.Duration { return time.Duration(n) * time.Second / userHZ }
	p.hostParent, p.pgid, p.tty = int(n[1]), int(n[2]), int(n[4])
	p.cpu, p.nice = ticks(n[11]+n[12]), int(n[16])
	p.age = max(up-ticks(n[19]), 0)
	p.vsz, p.rss = n[20]/1024, n[21]*int64(os.Getpagesize())/1024
	return nil
}

// parseStatus reads proc_pid_status(5).
func (p *process) parseStatus(text string) {
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		last := words[len(words)-1] // of the innermost namespace
		switch key {
		case "NSpid":
			p.pid, _ = strconv.Atoi(last)
		case "NSpgid":
			p.pgid, _ = strconv.Atoi(last)
		case "Uid":
			copy(p.uids[:], numbers(words))
		case "Gid":
			copy(p.gids[:], numbers(words))
		case "Groups":
			p.groups = numbers(words)
		case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
			p.caps[key], _ = strconv.ParseUint(last, 16, 64)
		case "Seccomp":
			p.seccomp = map[string]string{"0": "disabled", "1": "strict", "2": "filter"}[last]
		}
	}
}

func numbers(words []string) []int {
	list := make([]int, len(words))
	for i, w := range words {
		list[i], _ = strconv.Atoi(w)
	}
	return list
}
