package protocol

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// States of a Status.
const (
	StateStarting   = "starting"   // the runtime is at work
	StateCreated    = "created"    // ModeCreate: the process exists; that it was started later is not written here
	StateRunning    = "running"    //
	StateRestarting = "restarting" // between two runs
	StateExited     = "exited"     // for good, or never begun (Error says why)
)

// Status is the monitor's record of its process: the file Dir/status. It is written before anyone is told what it says.
// After a crash of the monitor it says what was last known: who reads a state that is not StateExited asks Alive too.
//
// The file is lines of key=value: strings quoted as in Go, times in nanoseconds since 1970, zero values left out.
type Status struct {
	State      string
	PID        int64 // of the main process, in the monitor's pid namespace; kept after the exit
	PIDStart   int64 // its start time in clock ticks after boot (proc(5), stat field 22): no reused pid has the same
	PIDNumber  int64 // the kernel's number of it, the inode of its pidfd (Linux 6.9): no other process has the same; 0 without
	MonitorPID int64 //
	Started    time.Time
	ExitCode   int64 // StateExited and StateRestarting: of the last run
	ExitedAt   time.Time
	OOM        bool   // the kernel killed for memory in the container's cgroup during the last run
	Restarts   int64  // runs after the first
	Error      string // why the last start failed, in the runtime's words
}

const statusHeader = "hull-status "

func (s *Status) fields() []field {
	return []field{
		{key: "state", str: &s.State},
		{key: "pid", num: &s.PID},
		{key: "pid-start", num: &s.PIDStart},
		{key: "pid-number", num: &s.PIDNumber},
		{key: "monitor-pid", num: &s.MonitorPID},
		{key: "started", when: &s.Started},
		{key: "exit-code", num: &s.ExitCode},
		{key: "exited-at", when: &s.ExitedAt},
		{key: "oom", flag: &s.OOM},
		{key: "restarts", num: &s.Restarts},
		{key: "error", str: &s.Error},
	}
}

// Encode makes the content of the file.
func (s *Status) Encode() []byte {
	b := []byte(statusHeader + strconv.Itoa(Version) + "\n")
	appendFields(s.fields(), func(key, value string) {
		b = append(append(b, key...), '=')
		if key == "state" || key == "error" {
			b = strconv.AppendQuote(b, value)
		} else {
			b = append(b, value...)
		}
		b = append(b, '\n')
	})
	return b
}

// DecodeStatus reads what Encode made. Names it does not know are passed over: a newer monitor may run on under an older
// engine.
func DecodeStatus(data []byte) (Status, error) {
	var s Status
	head, rest, _ := strings.Cut(string(data), "\n")
	if head != statusHeader+strconv.Itoa(Version) {
		return s, errors.New("monitor status: first line is " + strconv.Quote(head))
	}
	fields := s.fields()
	for line := range strings.Lines(rest) {
		key, value, err := cutField(strings.TrimSuffix(line, "\n"))
		if err == nil && strings.HasPrefix(value, `"`) {
			value, err = strconv.Unquote(value)
		}
		if err == nil {
			err = setField(fields, key, value)
		}
		if err != nil && !errors.Is(err, errUnknown) {
			return s, errors.New("monitor status: " + strconv.Quote(key) + ": " + err.Error())
		}
	}
	return s, nil
}

// ReadStatus reads dir/status; os.ErrNotExist when no monitor has written one.
func ReadStatus(dir string) (Status, error) {
	data, err := ReadFile(dir + "/" + StatusFile)
	if err != nil {
		return Status{}, err
	}
	return DecodeStatus(data)
}

// Alive reports whether a monitor lives in dir: whether dir/monitor.lock is held. It never waits.
func Alive(dir string) (bool, error) {
	f, err := os.Open(dir + "/" + LockFile)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	// Shared: two who ask at once do not see each other. A monitor that starts in this instant retries.
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil:
		return false, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return true, nil
	default:
		return false, os.NewSyscallError("flock", err)
	}
}
