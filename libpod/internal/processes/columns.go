package processes

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/sys/capability"
)

// ErrUnknown means that a word is no descriptor: it may be one of ps(1).
var ErrUnknown = errors.New("unknown format descriptor")

// Default are the columns when none are asked for.
var Default = []string{"user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args"}

// Descriptors are all columns, sorted.
func Descriptors() []string { return slices.Sorted(maps.Keys(columns())) }

// column is a heading and what stands below it.
type column struct {
	heading string
	text    func(*table, *process) string
}

// table is what columns need besides the process.
type table struct {
	uids, gids         []idRange // the container's own user namespace
	hostUIDs, hostGIDs []idRange // the engine's
	users, groups      names     // of the container
	hostUsers          names
	hostGroups         names
	lastCap            int
}

// columns are made when top asks for them: every command of hull would make them at its start.
var columns = sync.OnceValue(func() map[string]column {
	return map[string]column{
		"args":    {"COMMAND", func(_ *table, p *process) string { return p.args }},
		"capamb":  {"AMBIENT CAPS", func(t *table, p *process) string { return t.capabilities(p.caps["CapAmb"]) }},
		"capbnd":  {"BOUNDING CAPS", func(t *table, p *process) string { return t.capabilities(p.caps["CapBnd"]) }},
		"capeff":  {"EFFECTIVE CAPS", func(t *table, p *process) string { return t.capabilities(p.caps["CapEff"]) }},
		"capinh":  {"INHERITED CAPS", func(t *table, p *process) string { return t.capabilities(p.caps["CapInh"]) }},
		"capprm":  {"PERMITTED CAPS", func(t *table, p *process) string { return t.capabilities(p.caps["CapPrm"]) }},
		"comm":    {"COMMAND", func(_ *table, p *process) string { return p.comm }},
		"etime":   {"ELAPSED", func(_ *table, p *process) string { return p.age.String() }},
		"group":   {"GROUP", func(t *table, p *process) string { return t.groups.of(toInside(t.gids, p.gids[1])) }},
		"groups":  {"GROUPS", func(t *table, p *process) string { return t.all(p, t.groups) }},
		"hgroup":  {"HGROUP", func(t *table, p *process) string { return t.hostGroups.of(toOutside(t.hostGIDs, p.gids[1])) }},
		"hgroups": {"HGROUPS", func(t *table, p *process) string { return t.allHost(p) }},
		"hpid":    {"HPID", func(_ *table, p *process) string { return strconv.Itoa(p.hostPID) }},
		"huser":   {"HUSER", func(t *table, p *process) string { return t.hostUsers.of(toOutside(t.hostUIDs, p.uids[1])) }},
		"label":   {"LABEL", func(_ *table, p *process) string { return p.label }},
		"nice":    {"NI", func(_ *table, p *process) string { return strconv.Itoa(p.nice) }},
		"pcpu":    {"%CPU", func(_ *table, p *process) string { return percent(p.cpu, p.age) }},
		"pgid":    {"PGID", func(_ *table, p *process) string { return strconv.Itoa(p.pgid) }},
		"pid":     {"PID", func(_ *table, p *process) string { return strconv.Itoa(p.pid) }},
		"ppid":    {"PPID", func(_ *table, p *process) string { return strconv.Itoa(p.ppid) }},
		"rgroup":  {"RGROUP", func(t *table, p *process) string { return t.groups.of(toInside(t.gids, p.gids[0])) }},
		"rss":     {"RSS", func(_ *table, p *process) string { return strconv.FormatInt(p.rss, 10) }},
		"ruser":   {"RUSER", func(t *table, p *process) string { return t.users.of(toInside(t.uids, p.uids[0])) }},
		"seccomp": {"SECCOMP", func(_ *table, p *process) string { return p.seccomp }},
		"state":   {"STATE", func(_ *table, p *process) string { return p.state }},
		"stime":   {"STIME", func(_ *table, p *process) string { return p.started.Round(time.Second).String() }},
		"time":    {"TIME", func(_ *table, p *process) string { return p.cpu.String() }},
		"tty":     {"TTY", func(_ *table, p *process) string { return terminal(p.tty) }},
		"user":    {"USER", func(t *table, p *process) string { return t.users.of(toInside(t.uids, p.uids[1])) }},
		"vsz":     {"VSZ", func(_ *table, p *process) string { return strconv.FormatInt(p.vsz, 10) }},
	}
})

// aix are the short names of ps(1), "AIX FORMAT DESCRIPTORS".
var aix = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"%C": "pcpu", "%G": "group", "%P": "ppid", "%U": "user", "%a": "args", "%c": "comm", "%g": "rgroup", "%n": "nice",
		"%p": "pid", "%r": "pgid", "%t": "etime", "%u": "ruser", "%x": "time", "%y": "tty", "%z": "vsz",
	}
})

// Parse returns the columns that words ask for, each a descriptor or several with commas between; Default for none. A
// word that is none is an error with ErrUnknown in it.
func Parse(words []string) ([]string, error) {
	var list []string
	for _, word := range words {
		for name := range strings.SplitSeq(word, ",") {
			if long, ok := aix()[name]; ok {
				name = long
			}
			if _, ok := columns()[name]; !ok && name != "" {
				return nil, fmt.Errorf("%w %q", ErrUnknown, name)
			}
			if name != "" {
				list = append(list, name)
			}
		}
	}
	if len(list) == 0 {
		return Default, nil
	}
	return list, nil
}

// Of is the container whose processes are wanted.
type Of struct {
	Init          int    // pid of its first process
	Passwd, Group []byte // its own files
	Rootless      bool   // users of the host are numbers then, as in podman
}

// Table returns the heading and a row for each process.
func Table(of Of, descriptors []string, now time.Time) ([][]string, error) {
	list, err := all(of.Init, now)
	if err != nil {
		return nil, err
	}
	proc := filepath.Join("/proc", strconv.Itoa(of.Init))
	t := &table{
		uids: readRanges(filepath.Join(proc, "uid_map")), gids: readRanges(filepath.Join(proc, "gid_map")),
		hostUIDs: readRanges("/proc/self/uid_map"), hostGIDs: readRanges("/proc/self/gid_map"),
		users: parseNames(of.Passwd), groups: parseNames(of.Group), lastCap: lastCapability(),
	}
	t.sameNamespace(of.Init)
	if !of.Rootless {
		t.hostUsers, t.hostGroups = readNames("/etc/passwd"), readNames("/etc/group")
	}
	rows := [][]string{nil}
	for _, d := range descriptors {
		rows[0] = append(rows[0], columns()[d].heading)
	}
	for _, p := range list {
		var row []string
		for _, d := range descriptors {
			row = append(row, columns()[d].text(t, p))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// sameNamespace makes the container's map an equation when it has no user namespace of its own: the kernel shows the map
// of the reader's own namespace as the one to its parent.
func (t *table) sameNamespace(init int) {
	mine, err1 := os.Readlink("/proc/self/ns/user")
	theirs, err2 := os.Readlink(filepath.Join("/proc", strconv.Itoa(init), "ns/user"))
	if err1 == nil && err2 == nil && mine == theirs {
		every := []idRange{{0, 0, 1<<32 - 1}}
		t.uids, t.gids = every, every
	}
}

func readNames(path string) names {
	data, _ := os.ReadFile(path)
	return parseNames(data)
}

func (t *table) all(p *process, known names) string {
	var list []string
	for _, id := range p.groups {
		list = append(list, known.of(toInside(t.gids, id)))
	}
	return strings.Join(list, ",")
}

func (t *table) allHost(p *process) string {
	var list []string
	for _, id := range p.groups {
		list = append(list, t.hostGroups.of(toOutside(t.hostGIDs, id)))
	}
	return strings.Join(list, ",")
}

// capabilities are the names in a set: none, full, or those that are in.
func (t *table) capabilities(set uint64) string {
	every := uint64(1)<<(t.lastCap+1) - 1
	switch set & every {
	case 0:
		return "none"
	case every:
		return "full"
	}
	var list []string
	for i := range t.lastCap + 1 {
		if set&(1<<i) != 0 {
			list = append(list, strings.ToUpper(capability.Cap(i).String()))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

func lastCapability() int {
	last, err := capability.LastCap()
	if err != nil {
		return 40 // CAP_CHECKPOINT_RESTORE, of Linux 5.9
	}
	return int(last)
}

func percent(cpu, age time.Duration) string {
	return fmt.Sprintf("%.3f", 100*cpu.Seconds()/max(age.Seconds(), 0.01))
}

// terminal is the name of a terminal by its device number (proc_pid_stat(5), tty_nr).
func terminal(device int) string {
	major := device >> 8 & 0xfff
	minor := device&0xff | device>>12&0xfff00
	switch {
	case device == 0:
		return "?"
	case major >= 136 && major <= 143: // UNIX98_PTY_SLAVE_MAJOR
		return fmt.Sprintf("pts/%d", (major-136)<<8|minor)
	case major == 4 && minor < 64:
		return fmt.Sprintf("tty%d", minor)
	case major == 4:
		return fmt.Sprintf("ttyS%d", minor-64)
	}
	return "?"
}
