package watch

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
)

// takeLock takes Dir/monitor.lock. Who asks whether a monitor is alive holds it for an instant (protocol.Alive), so it is
// waited for; another monitor would hold it for long.
func (m *monitor) takeLock() error {
	fd, err := unix.Open(protocol.LockFile, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: m.req.Dir + "/" + protocol.LockFile, Err: err}
	}
	for range 100 {
		if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			m.lock = fd
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("flock", err)
		}
		_, _ = unix.Poll(nil, 1)
	}
	return errors.New("another monitor is at work in " + m.req.Dir)
}

// save writes the status file. An error leaves the old one: there is nobody to tell, and the container comes first.
func (m *monitor) save() {
	if m.lock < 0 {
		return // Dir is not ours
	}
	_ = replaceFile(protocol.StatusFile, m.status.Encode())
}

// replaceFile writes path whole or not at all; not synced, since a reboot ends what it tells of.
func replaceFile(path string, data []byte) error {
	temporary := path + ".new"
	_ = unix.Unlink(temporary)
	fd, err := unix.Open(temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return &os.PathError{Op: "create", Path: temporary, Err: err}
	}
	n, err := unix.Write(fd, data)
	_ = unix.Close(fd)
	if err == nil && n < len(data) {
		err = unix.ENOSPC
	}
	if err == nil {
		err = unix.Rename(temporary, path)
	}
	if err != nil {
		_ = unix.Unlink(temporary)
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

func pidText(pid int) []byte { return strconv.AppendInt(nil, int64(pid), 10) }

// startTime is when a process started, or 0 when there is none.
func startTime(pid int) int64 {
	_, start, err := protocol.Stat(pid)
	if err != nil {
		return 0
	}
	return int64(start)
}

// processNumber is protocol.Status.PIDNumber of a process.
func processNumber(pid int) int64 {
	const pidfs = 0x50494446 // PID_FS_MAGIC: of older kernels all pidfds are one file
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &fs) != nil || fs.Type != pidfs || unix.Fstat(fd, &st) != nil {
		return 0
	}
	return int64(st.Ino)
}
