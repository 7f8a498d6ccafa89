// Package logread reads the logs that hull-conmon writes: the file formats of conmon/internal/logs, which podman and
// docker share, across the rotated file, and the journal. It reads from the end for a tail, and follows with inotify or
// with journalctl.
package logread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/journal"
)

// Entry is one record of a log. A line that the container wrote in pieces is several, all but the last Partial.
type Entry struct {
	Time    time.Time
	Stream  string // "stdout" or "stderr"
	Line    []byte // without the newline; valid during the call
	Partial bool   // the line goes on in the next entry of the stream, or its newline never came
}

// Options say which entries are wanted; the zero value is all that are there.
type Options struct {
	Since, Until time.Time // inclusive; zero: no bound
	Tail         int       // the last so many lines, or all with a negative number or when All is set; 0 is none
	All          bool      // Tail does not count
	Follow       bool      // go on with what is written later, until Done or Until
	// Done is closed when the container has ended and its log is complete; needed with Follow. What was written before it
	// was closed is still read.
	Done <-chan struct{}
}

// Source is where the log is.
type Source struct {
	Driver    string // as in protocol.Request
	Path      string // of the file drivers; of journald the folder of the journal's files, or "" for the machine's
	Container string // full id, for journald
}

// Read calls yield with each entry that o asks for, in the order of the log, until yield returns an error, which it
// returns. A log that was never written is empty. It ends early, without an error, when ctx ends while it follows.
func Read(ctx context.Context, from Source, o Options, yield func(Entry) error) error {
	if from.Driver == protocol.LogJournald {
		return readJournal(ctx, from, o, yield)
	}
	parse, err := parser(from.Driver)
	if err != nil {
		return err
	}
	r := &reader{ctx: ctx, path: from.Path, parse: parse, o: o, yield: yield}
	defer r.close()
	err = r.read() //nolint:contextcheck // it has ctx: in r
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// Check is the error that Read would have for the driver, without reading.
func Check(driver string) error {
	if driver == protocol.LogJournald {
		return journal.Check()
	}
	_, err := parser(driver)
	return err
}

func parser(driver string) (parse, error) {
	switch driver {
	case protocol.LogK8sFile:
		return parseK8s, nil
	case protocol.LogJSONFile:
		return parseJSON, nil
	case protocol.LogNone, protocol.LogPassthrough, "":
		return nil, errs.Invalid("this container is using the 'none' log driver, cannot read logs")
	}
	return nil, errs.Invalid("unknown log driver %q", driver)
}

// errStop ends the reading well.
var errStop = errors.New("stop")

// reader reads one log once.
type reader struct {
	ctx   context.Context //nolint:containedctx // of one call of Read, not kept
	path  string
	parse parse
	o     Options
	yield func(Entry) error

	file *os.File
	buf  []byte // what was read of file and not handed out
	at   int    // start of that in buf
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
}

func (r *reader) read() error {
	var w *watcher
	if r.o.Follow {
		var err error
		if w, err = newWatcher(r.path); err != nil { // before the first read: nothing falls in between
			return err
		}
		defer w.close()
	}
	if err := r.backlog(); err != nil {
		return err
	}
	if w == nil {
		return r.rest()
	}
	return r.follow(w)
}

// backlog reads what is there: the rotated file, then the current one, which stays open.
func (r *reader) backlog() error {
	old, current, err := openBoth(r.path)
	if err != nil {
		return err
	}
	r.file = current
	defer func() {
		if old != nil {
			_ = old.Close()
		}
	}()
	if !r.o.All && r.o.Tail >= 0 {
		if err := seekTail(old, current, r.o.Tail, r.parse); err != nil {
			return fmt.Errorf("find the end of log %q: %w", r.path, err)
		}
	}
	if old != nil {
		r.file = old
		err := r.drain()
		if err == nil {
			err = r.rest()
		}
		r.file, r.buf, r.at = current, nil, 0
		if err != nil {
			return err
		}
	}
	return r.drain()
}

// openBoth opens path.1, or nil, and path, or nil, such that no rotation falls between the two.
func openBoth(path string) (old, current *os.File, err error) {
	for {
		current, err = openLog(path)
		if err != nil {
			return nil, nil, err
		}
		old, err = openLog(path + ".1")
		if err != nil {
			return nil, nil, errors.Join(err, closeAll(current))
		}
		if old == nil || current == nil || !sameFile(old, current) {
			return old, current, nil
		}
		// Rotated in between: what was path is path.1 now, and there is a new path.
		if err := closeAll(old, current); err != nil {
			return nil, nil, err
		}
	}
}

func openLog(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // no log yet is a log without entries
	}
	return f, err
}

func closeAll(files ...*os.File) error {
	var err error
	for _, f := range files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

func sameFile(a, b *os.File) bool {
	x, errA := a.Stat()
	y, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(x, y)
}

const block = 64 << 10

// drain hands out all whole records of the file.
func (r *reader) drain() error {
	if r.file == nil {
		return nil
	}
	for {
		if err := r.records(); err != nil {
			return err
		}
		if cap(r.buf)-len(r.buf) < block {
			r.buf = append(make([]byte, 0, 2*(len(r.buf)-r.at)+2*block), r.buf[r.at:]...)
			r.at = 0
		}
		n, err := r.file.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log %q: %w", r.path, err)
		}
		if r.ctx.Err() != nil && !r.o.Follow {
			return context.Cause(r.ctx)
		}
	}
}

// rest hands out a last record that has no newline: written by hand, or cut by a full disk.
func (r *reader) rest() error {
	if r.at == len(r.buf) {
		return nil
	}
	line := r.buf[r.at:]
	r.at = len(r.buf)
	return r.record(line)
}

// record hands one record out if it is wanted. What is not a record is passed over: the file is the user's to look at and
// may be damaged; the rest of it counts.
func (r *reader) record(line []byte) error {
	e, ok := r.parse(line)
	if !ok || (!r.o.Since.IsZero() && e.Time.Before(r.o.Since)) {
		return nil
	}
	if !r.o.Until.IsZero() && e.Time.After(r.o.Until) {
		return errStop
	}
	return r.yield(e)
}
