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

// Helper is a hull-conmon or a hull-image that waits for its request.
type Helper struct {
	Path   string
	PID    int
	Socket *os.File // ends the helper when it is closed before there was a request
	Stderr *os.File // what the helper writes there; nil: nothing
}

var (
	takes sync.Mutex
	taken bool
)

// TakeHelper returns the program of that name that the constructor has executed beside this process, because the command
// looked as if it would need one; nil when there is none, and the second time.
func TakeHelper(name string) *Helper {
	takes.Lock()
	defer takes.Unlock()
	path := filepath.Clean(C.GoString(&C.hull_helper_path[0]))
	if taken || C.hull_helper_pid == 0 || filepath.Base(path) != name {
		return nil
	}
	taken = true
	h := &Helper{Path: path, PID: int(C.hull_helper_pid), Socket: os.NewFile(uintptr(C.hull_helper_socket), name)}
	if C.hull_helper_stderr >= 0 {
		h.Stderr = os.NewFile(uintptr(C.hull_helper_stderr), name)
	}
	return h
}
