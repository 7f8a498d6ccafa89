package logread

import (
	"context"
	"errors"
	"slices"
	"time"

	"hull.dev/hull/pkg/journal"
)

// journalLog reads one container's records in the journal once.
type journalLog struct {
	query journal.Query
	o     Options
	yield func(Entry) error
	last  string // cursor of the newest record that was seen
}

// readJournal is Read for the driver journald. The journal has no end of a container's log: with Follow, a line that
// journald has not stored yet when the container has ended is not told.
func readJournal(ctx context.Context, from Source, o Options, yield func(Entry) error) error {
	j := &journalLog{query: journal.Query{Container: from.Container, Folder: from.Path}, o: o, yield: yield}
	var err error
	if o.All || o.Tail < 0 {
		err = j.forward(ctx, false)
	} else {
		err = j.tail(ctx)
	}
	if err == nil && o.Follow {
		err = j.follow(ctx)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// forward hands out what comes after the last record.
func (j *journalLog) forward(ctx context.Context, follow bool) error {
	q := j.query
	q.After, q.Follow = j.last, follow
	return journal.Read(ctx, q, func(r journal.Record) error {
		j.last = r.Cursor
		return j.record(r)
	})
}

// record hands one record out if it is wanted.
func (j *journalLog) record(r journal.Record) error {
	if !j.o.Since.IsZero() && r.Time.Before(j.o.Since) {
		return nil
	}
	if !j.o.Until.IsZero() && r.Time.After(j.o.Until) {
		return errStop
	}
	e := Entry{Time: r.Time, Stream: "stdout", Line: r.Message, Partial: r.Partial}
	if r.Stderr {
		e.Stream = "stderr"
	}
	return j.yield(e)
}

// tail hands out the last lines: it reads backwards, no further than it must, and counts lines, not records.
func (j *journalLog) tail(ctx context.Context) error {
	q := j.query
	q.Newest = true
	var kept []journal.Record
	lines := 0
	err := journal.Read(ctx, q, func(r journal.Record) error {
		newest := j.last == ""
		if newest {
			j.last = r.Cursor
		}
		if !r.Partial || newest { // the end of a line; the pieces before it come with it
			if lines == j.o.Tail {
				return errStop
			}
			lines++
		}
		kept = append(kept, r)
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	for _, r := range slices.Backward(kept) {
		if err := j.record(r); err != nil {
			return err
		}
	}
	return nil
}

// follow hands out what comes until the container has ended, then once more what has come before that.
func (j *journalLog) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		var until <-chan time.Time
		if !j.o.Until.IsZero() {
			t := time.NewTimer(time.Until(j.o.Until))
			defer t.Stop()
			until = t.C
		}
		select {
		case <-j.o.Done:
		case <-until:
		case <-ctx.Done():
			return
		}
		cancel(errStop)
	}()
	err := j.forward(ctx, true)
	ended := errors.Is(context.Cause(ctx), errStop)
	outside := ctx.Err() != nil && !ended
	cancel(nil)
	<-stopped
	switch {
	case outside:
		return nil
	case ended && errors.Is(err, errStop):
		return j.forward(context.WithoutCancel(ctx), false)
	}
	return err
}
