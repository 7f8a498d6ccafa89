package logread

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// seekTail sets both files so that reading them gives the last n lines. It reads backwards, no further than it must, and
// counts lines, not records: the records of one line count once. A nil file is empty.
func seekTail(old, current *os.File, n int, p parse) error {
	c := &counter{parse: p, left: n}
	for _, f := range []*os.File{current, old} {
		if f == nil {
			continue
		}
		if err := c.back(f); err != nil {
			return err
		}
	}
	return nil
}

// counter counts lines from the end. Its streams are counted together, as they stand in the log.
type counter struct {
	parse parse
	left  int
	full  bool
}

// back moves f to the first record that belongs to the lines that are left.
func (c *counter) back(f *os.File) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || c.full {
		return err
	}
	start := end // of the records counted so far
	var tail []byte
	for at := end; at > 0; {
		size := min(int64(block), at)
		at -= size
		head := make([]byte, size, int(size)+len(tail))
		if _, err := f.ReadAt(head, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		tail = append(head, tail...) // begins at at, ends at start
		for {
			record := bytes.TrimSuffix(tail, []byte{'\n'})
			i := bytes.LastIndexByte(record, '\n')
			if i < 0 && at > 0 {
				break // it begins further in front
			}
			if !c.take(record[i+1:], start == end) {
				_, err := f.Seek(start, io.SeekStart)
				return err
			}
			tail = tail[:i+1]
			start = at + int64(len(tail))
			if i < 0 {
				break
			}
		}
	}
	_, err = f.Seek(start, io.SeekStart)
	return err
}

// take reports whether the record, which stands before those taken so far, is wanted too. The end of a line, or a line at
// the end of the log that has none, begins a new count; the parts before it come with it.
func (c *counter) take(record []byte, last bool) bool {
	e, ok := c.parse(record)
	if !ok || (e.Partial && !last) {
		return true
	}
	if c.left == 0 {
		c.full = true
		return false
	}
	c.left--
	return true
}
