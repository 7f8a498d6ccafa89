package watch

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/protocol"
)

// memory counts the processes that the kernel has killed for memory in the container's cgroup (cgroup v2,
// memory.events). The cgroup may go with its last process (systemd), so the file is kept open and read whenever the kernel
// says that it changed, too. A nil memory counts nothing.
type memory struct {
	loop   *loop.Loop
	fd     int
	before int64 // the count when the process started: the cgroup may be shared
	last   int64
}

func watchMemory(l *loop.Loop, pid int) *memory {
	data, err := protocol.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		path, unified := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::/")
		if !unified {
			continue
		}
		fd, err := unix.Open("/sys/fs/cgroup/"+path+"/memory.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // no memory controller
		}
		m := &memory{loop: l, fd: fd}
		m.read()
		m.before = m.last
		_ = l.Add(fd, loop.Pri, func(uint32) { m.read() }) // without it the read at the exit has to do
		return m
	}
	return nil
}

func (m *memory) read() {
	var buf [512]byte
	n, err := unix.Pread(m.fd, buf[:], 0)
	if err != nil {
		m.loop.Remove(m.fd) // the cgroup has gone; it would be told for ever
		return
	}
	m.last = max(m.last, oomKills(string(buf[:n])))
}

// oomKills reads the line "oom_kill N" of memory.events.
func oomKills(events string) int64 {
	for line := range strings.Lines(events) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
			return n
		}
	}
	return 0
}

func (m *memory) killed() bool {
	if m == nil {
		return false
	}
	m.read()
	return m.last > m.before
}

func (m *memory) close() {
	if m == nil {
		return
	}
	m.loop.Remove(m.fd)
	_ = unix.Close(m.fd)
}
