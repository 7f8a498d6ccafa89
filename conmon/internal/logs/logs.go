// Package logs writes what the container says to where its log driver keeps it, in the formats of podman and docker:
//
//	k8s-file   2026-11-23T12:00:00.000000000+00:00 stdout F line        P instead of F: the line goes on in the next record
//	json-file  {"log":"line\n","stream":"stdout","time":"2026-11-23T12:00:00.000000000Z"}     no \n: the line goes on
//	journald   a datagram for each line on journald's native socket
//
// A log never stops the container: what cannot be written (a full disk) is left out, whole records at a time.
package logs

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/internal/stdio"
	"hull.dev/hull/conmon/protocol"
)

// Log is an open log.
type Log interface {
	// Write logs one chunk of what the container wrote. A chunk that does not end in a newline leaves its line open.
	Write(s stdio.Stream, p []byte)
	// Flush writes what was kept back: the process has ended.
	Flush()
	Close()
}

// Open opens the log that r asks for.
func Open(r *protocol.Request) (Log, error) {
	switch r.LogDriver {
	case "", protocol.LogNone, protocol.LogPassthrough:
		return none{}, nil
	case protocol.LogK8sFile:
		return openFile(r.LogPath, r.LogMaxSize, k8s{time.Local})
	case protocol.LogJSONFile:
		return openFile(r.LogPath, r.LogMaxSize, &jsonLines{attrs: jsonAttrs(r.LogLabels)})
	case protocol.LogJournald:
		return openJournal(JournalSocket, r)
	}
	return nil, errors.New("unknown log driver " + strconv.Quote(r.LogDriver))
}

// Discard is a log that keeps nothing.
func Discard() Log { return none{} }

type none struct{}

func (none) Write(stdio.Stream, []byte) {}
func (none) Flush()                     {}
func (none) Close()                     {}

// format makes one record of a file.
type format interface {
	// record appends the record for line, which has no newline; whole: its newline was there.
	record(b []byte, at time.Time, s stdio.Stream, line []byte, whole bool) []byte
	// keep is how many bytes at the end of an open line must wait for the next chunk.
	keep(line []byte) int
}

// file is a log of records in a file that is moved to path.1 when it is full. It is moved between lines: a line of
// several records stays together, unless it alone is over the limit.
type file struct {
	path  string
	max   int64
	fmt   format
	fd    int // raw: an *os.File would set up the Go runtime's poller
	size  int64
	open  [3]bool   // by Stream: its last record was not the end of a line
	kept  [3][]byte // by Stream: a few bytes of a character that is not whole yet
	batch []byte    // records of one chunk, written with one write
	now   func() time.Time
}

func openFile(path string, limit int64, f format) (*file, error) {
	l := &file{path: path, max: limit, fmt: f, now: time.Now}
	return l, l.reopen()
}

func (l *file) reopen() error {
	fd, err := unix.Open(l.path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: l.path, Err: err}
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		_ = unix.Close(fd)
		return &os.PathError{Op: "stat", Path: l.path, Err: err}
	}
	l.fd, l.size = fd, stat.Size
	return nil
}

func (l *file) Write(s stdio.Stream, p []byte) {
	at := l.now()
	if len(l.kept[s]) > 0 {
		p = append(l.kept[s], p...)
		l.kept[s] = nil
	}
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		if !whole {
			n := len(line) - l.fmt.keep(line)
			l.kept[s] = append([]byte(nil), line[n:]...)
			line = line[:n]
			if n == 0 {
				break
			}
		}
		l.add(at, s, line, whole)
		p = rest
	}
	l.write()
}

// add puts one record into the batch, and the batch and the old file away when that would be over the limit.
func (l *file) add(at time.Time, s stdio.Stream, line []byte, whole bool) {
	before := len(l.batch)
	between := !l.open[stdio.Stdout] && !l.open[stdio.Stderr]
	l.batch = l.fmt.record(l.batch, at, s, line, whole)
	total := l.size + int64(len(l.batch))
	if l.max > 0 && l.size+int64(before) > 0 && total > l.max && (between || total > 2*l.max) {
		last := append([]byte(nil), l.batch[before:]...)
		l.batch = l.batch[:before]
		l.write()
		l.rotate()
		l.batch = append(l.batch, last...)
	}
	l.open[s] = !whole
}

// rotate makes path path.1, and a new file path. When that fails the old file just grows.
func (l *file) rotate() {
	if os.Rename(l.path, l.path+".1") != nil {
		return
	}
	old := l.fd
	if l.reopen() != nil {
		_ = os.Rename(l.path+".1", l.path)
		return
	}
	_ = unix.Close(old)
}

func (l *file) write() {
	if len(l.batch) == 0 {
		return
	}
	for rest := l.batch; len(rest) > 0; {
		n, err := loop.Write(l.fd, rest)
		if err != nil {
			_ = unix.Ftruncate(l.fd, l.size) // part of a record is worse than none
			break
		}
		if rest = rest[n:]; len(rest) == 0 {
			l.size += int64(len(l.batch))
		}
	}
	l.batch = l.batch[:0]
	if cap(l.batch) > 256<<10 {
		l.batch = nil
	}
}

func (l *file) Flush() {
	for _, s := range []stdio.Stream{stdio.Stdout, stdio.Stderr} {
		if len(l.kept[s]) > 0 {
			l.add(l.now(), s, l.kept[s], false)
			l.kept[s] = nil
		}
		l.open[s] = false
	}
	l.write()
}

func (l *file) Close() {
	l.Flush()
	_ = unix.Close(l.fd)
}
