package logread

import (
	"bytes"
	"encoding/json"
	"time"
)

// parse reads one record, without its newline; false: it is none.
type parse func(line []byte) (Entry, bool)

// parseK8s reads "TIME STREAM F|P LINE".
func parseK8s(line []byte) (Entry, bool) {
	stamp, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return Entry{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return Entry{}, false
	}
	stream, rest, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return Entry{}, false
	}
	flag, text, _ := bytes.Cut(rest, []byte{' '})
	e := Entry{Time: at, Stream: string(stream), Line: text, Partial: string(flag) == "P"}
	// CRI allows tags after the flag, joined by colons; nobody writes them.
	return e, (e.Stream == "stdout" || e.Stream == "stderr") && (e.Partial || string(flag) == "F")
}

// parseJSON reads docker's JSONLogs.
func parseJSON(line []byte) (Entry, bool) {
	var record struct {
		Log    string    `json:"log"`
		Stream string    `json:"stream"`
		Time   time.Time `json:"time"`
	}
	if json.Unmarshal(line, &record) != nil || (record.Stream != "stdout" && record.Stream != "stderr") {
		return Entry{}, false
	}
	text, whole := bytes.CutSuffix([]byte(record.Log), []byte{'\n'})
	return Entry{Time: record.Time, Stream: record.Stream, Line: text, Partial: !whole}, true
}

// records hands out the whole records of the buffer.
func (r *reader) records() error {
	for {
		i := bytes.IndexByte(r.buf[r.at:], '\n')
		if i < 0 {
			return nil
		}
		line := r.buf[r.at : r.at+i]
		r.at += i + 1
		if err := r.record(line); err != nil {
			return err
		}
	}
}
