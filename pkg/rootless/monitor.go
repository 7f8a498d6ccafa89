package rootless

// #include "enter_linux.h"
import "C"

import (
	"os"
	"path/filepath"
	"sync"
)

// The environment of a monitor makes its Go runtime small. A first collection costs more (its workers, 270 KB) than what it
// would free in an idle monitor; at 30 it has the first at 1.2 MB, which an idle one never reaches.
const (
	MonitorProcs = C.HULL_MONITOR_PROCS
	MonitorGC    = C.HULL_MONITOR_GC
)

// Monitor is a hull-conmon that waits for its request.
type Monitor struct {
	Path   string
	PID    int
	Socket *os.File // ends the monitor when it is closed before there was a request
}

var taken sync.Once

// TakeMonitor returns the monitor that the constructor has executed beside this process, because the command looked as if it
// would start a container or a process in one; nil when there is none, and the second time.
func TakeMonitor() (m *Monitor) {
	taken.Do(func() {
		if C.hull_monitor_pid != 0 {
			m = &Monitor{
				Path: filepath.Clean(C.GoString(&C.hull_monitor_path[0])), PID: int(C.hull_monitor_pid),
				Socket: os.NewFile(uintptr(C.hull_monitor_socket), "monitor"),
			}
		}
	})
	return m
}
