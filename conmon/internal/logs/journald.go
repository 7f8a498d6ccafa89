package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// JournalSocket is where journald listens (systemd.io, "Native Journal Protocol").
const JournalSocket = "/run/systemd/journal/socket"

// maxOpenLine is how much of a line is kept until its end comes; a longer one is logged in parts.
const maxOpenLine = 16 << 10

// journal sends each line with the fields that conmon sends. A line that is not whole yet is kept back: the pieces of a
// chunked read are not worth an entry each.
type journal struct {
	fd     int
	to     *unix.SockaddrUnix
	fields []byte // those of every entry
	kept   [3][]byte
	entry  []byte
}

func openJournal(path string, r *protocol.Request) (*journal, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, errors.New("log driver journald: no journald on this machine: " + err.Error())
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// A journald that hangs costs lines, not the container.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 2})
	j := &journal{fd: fd, to: &unix.SockaddrUnix{Name: path}}
	short := r.ID[:min(12, len(r.ID))]
	identifier := r.LogTag
	if identifier == "" {
		identifier = r.Name
	}
	for _, f := range [][2]string{
		{"CONTAINER_ID_FULL", r.ID},
		{"CONTAINER_ID", short},
		{"CONTAINER_NAME", r.Name},
		{"CONTAINER_TAG", r.LogTag},
		{"SYSLOG_IDENTIFIER", identifier},
	} {
		if f[1] != "" {
			j.fields = appendField(j.fields, f[0], []byte(f[1]))
		}
	}
	for _, l := range r.LogLabels {
		key, value, _ := strings.Cut(l, "=")
		j.fields = appendField(j.fields, fieldName(key), []byte(value))
	}
	return j, nil
}

// fieldName makes a name that journald takes: capitals, digits and underscores, not an underscore or digit first.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(key))
	if name = strings.TrimLeft(name, "_0123456789"); name == "" {
		name = "LABEL"
	}
	return name[:min(64, len(name))]
}

// appendField appends one field; a value with a newline is given by its length.
func appendField(b []byte, key string, value []byte) []byte {
	b = append(b, key...)
	if bytes.IndexByte(value, '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	return append(append(b, value...), '\n')
}

func (j *journal) Write(s stdio.Stream, p []byte) {
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		if len(j.kept[s]) > 0 {
			line = append(j.kept[s], line...)
			j.kept[s] = nil
		}
		switch {
		case whole:
			j.send(s, line, true)
		case len(line) >= maxOpenLine:
			j.send(s, line, false)
		default:
			j.kept[s] = append([]byte(nil), line...)
		}
		p = rest
	}
}

func (j *journal) send(s stdio.Stream, line []byte, whole bool) {
	b := appendField(j.entry[:0], "MESSAGE", line)
	if s == stdio.Stderr {
		b = append(b, "PRIORITY=3\n"...)
	} else {
		b = append(b, "PRIORITY=6\n"...)
	}
	if !whole {
		b = append(b, "CONTAINER_PARTIAL_MESSAGE=true\n"...)
	}
	b = append(b, j.fields...)
	j.entry = b
	for {
		err := unix.Sendto(j.fd, b, unix.MSG_NOSIGNAL, j.to)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EMSGSIZE), errors.Is(err, unix.ENOBUFS):
			j.sendLarge(b)
		}
		return
	}
}

// sendLarge hands the entry over in a sealed memory file, as the protocol has it for what does not fit a datagram.
func (j *journal) sendLarge(b []byte) {
	fd, err := unix.MemfdCreate("journal-entry", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for rest := b; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		rest = rest[max(n, 0):]
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return
	}
	_ = unix.Sendmsg(j.fd, nil, unix.UnixRights(fd), j.to, unix.MSG_NOSIGNAL)
}

func (j *journal) Flush() {
	for _, s := range []stdio.Stream{stdio.Stdout, stdio.Stderr} {
		if len(j.kept[s]) > 0 {
			j.send(s, j.kept[s], false)
			j.kept[s] = nil
		}
	}
}

func (j *journal) Close() {
	j.Flush()
	_ = unix.Close(j.fd)
}
