// Package journal is the one door to systemd's journal, for reading: it runs journalctl(1), since the files themselves
// need libsystemd, and with it cgo and a shared library. What hull-conmon writes into the journal stands in
// conmon/internal/logs; what is read here are the fields of that.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"hull.dev/hull/pkg/errs"
)

// program reads the journal.
const program = "journalctl"

// folders are where journald keeps the journal (systemd-journald.service(8)).
var folders = []string{"/var/log/journal", "/run/log/journal"}

// Query says which records are wanted.
type Query struct {
	Container string // full id
	Folder    string // of the journal's files; "" is the machine's journal
	After     string // cursor of the record before the first; "": from the beginning
	Newest    bool   // the newest first
	Follow    bool   // go on with what comes, until the context ends
}

// Record is what a container wrote: a line, or a piece of one.
type Record struct {
	Cursor  string // names the record; see Query.After
	Time    time.Time
	Stderr  bool
	Message []byte // without the newline
	Partial bool   // the line goes on in the next record of its stream, or its newline never came
}

// Check is an error with the way out when there is no journal to read on this machine.
func Check() error {
	if _, err := exec.LookPath(program); err != nil {
		return errs.WithHint(fmt.Errorf("log driver journald: %s, which reads the journal, is not installed", program),
			"apt-get install systemd, or make containers with --log-driver k8s-file")
	}
	for _, dir := range folders {
		if _, err := os.Stat(dir); err == nil {
			return nil
		}
	}
	return errs.WithHint(fmt.Errorf("log driver journald: no journal on this machine: neither %s is there", strings.Join(folders, " nor ")),
		"start systemd-journald, or make containers with --log-driver k8s-file")
}

// Read calls yield with each record until yield returns an error, which it returns, or until ctx ends, which is its cause.
func Read(ctx context.Context, q Query, yield func(Record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, q.arguments()...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	err = records(bufio.NewReaderSize(out, 64<<10), yield)
	ended := ctx.Err() != nil
	if err != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	switch {
	case ended:
		return context.Cause(ctx)
	case err != nil:
		return err
	case waitErr != nil:
		if said := strings.TrimRight(stderr.String(), ". \n"); said != "" {
			waitErr = errors.New(said)
		}
		return errs.WithHint(fmt.Errorf("read the journal: %w", waitErr), "who is in the group systemd-journal may read all of it")
	}
	return nil
}

func (q *Query) arguments() []string {
	// Without --all a long value is left out.
	args := []string{"--quiet", "--all", "--no-pager", "--output=json", "--output-fields=MESSAGE,PRIORITY,CONTAINER_PARTIAL_MESSAGE"}
	if q.Folder != "" {
		args = append(args, "--directory="+q.Folder)
	}
	if q.After != "" {
		args = append(args, "--after-cursor="+q.After)
	}
	if q.Newest {
		args = append(args, "--reverse")
	}
	if q.Follow {
		args = append(args, "--follow", "--no-tail")
	}
	return append(args, "CONTAINER_ID_FULL="+q.Container)
}

// records reads a record from each line; a line that was cut off by the end of journalctl is none.
func records(in *bufio.Reader, yield func(Record) error) error {
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		r, err := parse(line)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if err := yield(r); err != nil {
			return err
		}
	}
}

// parse reads one record in journalctl's JSON (systemd.io, "Journal Export Formats").
func parse(line []byte) (Record, error) {
	var fields struct {
		Cursor   string `json:"__CURSOR"`
		Time     string `json:"__REALTIME_TIMESTAMP"` // microseconds since 1970
		Priority text   `json:"PRIORITY"`
		Message  text   `json:"MESSAGE"`
		Partial  text   `json:"CONTAINER_PARTIAL_MESSAGE"`
	}
	if err := json.Unmarshal(line, &fields); err != nil {
		return Record{}, err
	}
	us, err := strconv.ParseInt(fields.Time, 10, 64)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Cursor: fields.Cursor, Time: time.UnixMicro(us), Stderr: string(fields.Priority) == "3",
		Message: fields.Message, Partial: string(fields.Partial) == "true",
	}, nil
}

// text is a field's value: a string, or where it is not UTF-8 a list of bytes. Of a field that is there more than once it
// is the last value.
type text []byte

func (t *text) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &value); err == nil {
		*t = text(value)
		return nil
	}
	var numbers []uint16 // not bytes, which would be base64
	if err := json.Unmarshal(data, &numbers); err == nil {
		*t = make(text, len(numbers))
		for i, n := range numbers {
			(*t)[i] = byte(n)
		}
		return nil
	}
	var several []text
	if err := json.Unmarshal(data, &several); err != nil {
		return fmt.Errorf("a field is neither text nor bytes: %w", err)
	}
	if len(several) > 0 {
		*t = several[len(several)-1]
	}
	return nil
}
